import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { checkIntegrity, isCorrupt, makeDurable, StoreError, sqliteCode } from '../../protocol/host/sqlite.ts';
import type { Disk } from './disk.ts';
import type { Outbox, Recovery } from './outbox.ts';
import { salvage } from './salvage.ts';
import { migrate } from './schema.ts';
import { SqliteOutbox } from './sqlite-outbox.ts';

export type OpenOptions = {
  disk: Disk;
  dataDir: string;
  /** Id of this boot of the machine. */
  boot: string;
  newId: () => string;
  wallMs: number;
  /** A file up to this size is checked before it is used, a larger one beside the running agent. */
  checkInlineMaxBytes: number;
};

export type StoredOutbox = {
  outbox: Outbox;
  /** Its database file, or where that would be. */
  path: string;
  /** The file is too large to be checked before it is used. */
  unchecked: boolean;
};

/** A small log and cache: the board's card and memory are small. */
const durability = { walPages: 256, cacheKiB: 2000 };

/**
 * Opens the outbox in `dataDir` with a new epoch. A corrupt file is set aside, what can be read of
 * it is carried over, and `recovered` says so.
 *
 * @throws StoreError where not even a new file can be opened
 */
export async function openOutbox(options: OpenOptions): Promise<StoredOutbox> {
  const path = join(options.dataDir, 'outbox.db');
  const inline = options.disk.sizeBytes(path) <= options.checkInlineMaxBytes;
  try {
    const { db, recovered } = openSound(options, path, inline);
    const instance = instanceOf(db, options.newId);
    const outbox = new SqliteOutbox(db, { instance, boot: options.boot, newId: options.newId }, recovered);
    await outbox.openEpoch();
    return { outbox, path, unchecked: !inline };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Puts a file that a check beside the running agent found corrupt out of the way of the next start. */
export function setAside(disk: Disk, path: string, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().replaceAll(/[:.]/g, '-');
  let aside = path.replace(/\.db$/, `.corrupt-${stamp}.db`);
  for (let n = 2; disk.exists(aside); n++) aside = path.replace(/\.db$/, `.corrupt-${stamp}-${n}.db`);
  // The log goes first: a database without its log is older, one beside another's log is corrupt.
  for (const suffix of ['-wal', '-shm', '']) {
    if (disk.exists(path + suffix)) disk.rename(path + suffix, aside + suffix);
  }
  return aside;
}

function openSound(
  options: OpenOptions,
  path: string,
  check: boolean,
): { db: Database.Database; recovered: Recovery | null } {
  const { disk } = options;
  // A file that reads corrupt right after an I/O error is often sound on opening it again.
  const first = tryOpen(disk, path, check);
  const attempt = first.ok ? first : tryOpen(disk, path, check);
  if (attempt.ok) return { db: attempt.db, recovered: null };
  const aside = setAside(disk, path, options.wallMs);
  const db = makeDurable(disk.open(path), durability);
  migrate(db);
  const saved = salvageFrom(disk, aside, db);
  return { db, recovered: { setAside: aside, problem: attempt.problem, ...saved } };
}

type Attempt = { ok: true; db: Database.Database } | { ok: false; problem: string };

function tryOpen(disk: Disk, path: string, check: boolean): Attempt {
  let db: Database.Database | undefined;
  try {
    db = makeDurable(disk.open(path), durability);
    const problem = check ? checkIntegrity(db) : 'ok';
    if (problem === 'ok') {
      migrate(db);
      return { ok: true, db };
    }
    db.close();
    return { ok: false, problem };
  } catch (error) {
    db?.close();
    if (!isCorrupt(error)) throw error;
    return { ok: false, problem: `${sqliteCode(error)}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function salvageFrom(
  disk: Disk,
  aside: string,
  into: Database.Database,
): { events: number; gaps: number; memory: number } {
  let from: Database.Database | undefined;
  try {
    from = disk.open(aside);
    return salvage(from, into);
  } catch {
    return { events: 0, gaps: 0, memory: 0 };
  } finally {
    from?.close();
  }
}

function instanceOf(db: Database.Database, newId: () => string): string {
  const known = db.prepare<[], { value: string }>("SELECT value FROM meta WHERE key = 'instance'").get();
  if (known) return known.value;
  const instance = newId();
  db.prepare("INSERT INTO meta (key, value) VALUES ('instance', ?)").run(instance);
  return instance;
}
