import { join } from 'node:path';
import type Database from 'better-sqlite3';
import {
  checkIntegrity,
  isCorrupt,
  isDiskFull,
  makeDurable,
  StoreError,
  sqliteCode,
} from '../../protocol/host/sqlite.ts';
import type { Disk } from './disk.ts';
import type { Outbox, Recovery } from './outbox.ts';
import { type Salvaged, salvage } from './salvage.ts';
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
const logSuffixes = ['-wal', '-shm'];
/** With less than this SQLite cannot even begin its log. */
const leastRoomBytes = 256 * 1024;

/**
 * Opens the outbox in `dataDir` with a new epoch. A corrupt file is set aside, what can be read of
 * it is carried over, and `recovered` says so.
 *
 * @throws StoreError where not even a new file can be opened
 */
export async function openOutbox(options: OpenOptions): Promise<StoredOutbox> {
  const { disk, dataDir } = options;
  try {
    return await openOnce(options);
  } catch (error) {
    if (!disk.exists(ballastPath(dataDir)) || !hasNoRoom(disk, dataDir, error)) throw error;
    // Not even a new epoch fits: the ballast is there for this.
    disk.remove(ballastPath(dataDir));
    return openOnce(options);
  }
}

async function openOnce(options: OpenOptions): Promise<StoredOutbox> {
  const path = join(options.dataDir, 'outbox.db');
  const inline = options.disk.sizeBytes(path) <= options.checkInlineMaxBytes;
  let db: Database.Database | undefined;
  try {
    const opened = open(options, path, inline);
    db = opened.db;
    const instance = instanceOf(db, options.newId);
    const outbox = new SqliteOutbox(db, { instance, boot: options.boot, newId: options.newId }, opened.recovered);
    await outbox.openEpoch();
    return { outbox, path, unchecked: !inline };
  } catch (error) {
    db?.close();
    if (error instanceof StoreError) throw error;
    throw new StoreError(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** A full disk has several names: SQLite's own is not the only one where its log finds no room. */
function hasNoRoom(disk: Disk, dataDir: string, error: unknown): boolean {
  const free = disk.free(ballastPath(dataDir));
  return (
    isDiskFull(error instanceof StoreError ? error.cause : error) || (free !== null && free.bytes < leastRoomBytes)
  );
}

/** What is given up first when the disk is full. */
export function ballastPath(dataDir: string): string {
  return join(dataDir, 'outbox.ballast');
}

function open(
  options: OpenOptions,
  path: string,
  check: boolean,
): { db: Database.Database; recovered: Recovery | null } {
  const { disk, wallMs } = options;
  const salvaged = path.replace(/\.db$/, '.salvaged.db');
  // A salvage that was cut off between its last two steps.
  if (!disk.exists(path) && disk.exists(salvaged)) move(disk, salvaged, path);
  // A file that reads corrupt right after an I/O error is often sound on opening it again.
  const first = tryOpen(disk, path, check);
  const attempt = first.ok ? first : tryOpen(disk, path, check);
  if (attempt.ok) return { db: attempt.db, recovered: null };
  // Until all is carried over the corrupt file keeps its name: whatever interrupts this, it is done again.
  const saved = salvageInto(disk, path, salvaged);
  const setAside = asidePath(disk, path, wallMs);
  move(disk, path, setAside);
  move(disk, salvaged, path);
  const db = makeDurable(disk.open(path), durability);
  return { db, recovered: { setAside, problem: attempt.problem, ...saved } };
}

function asidePath(disk: Disk, path: string, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().replaceAll(/[:.]/g, '-');
  let aside = path.replace(/\.db$/, `.corrupt-${stamp}.db`);
  for (let n = 2; disk.exists(aside); n++) aside = path.replace(/\.db$/, `.corrupt-${stamp}-${n}.db`);
  return aside;
}

function move(disk: Disk, from: string, to: string): void {
  // The log goes first: a database without its log is older, one beside another's log is corrupt.
  for (const suffix of logSuffixes) if (disk.exists(from + suffix)) disk.rename(from + suffix, to + suffix);
  disk.rename(from, to);
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

/** @throws Error where the new file does not take what was read */
function salvageInto(disk: Disk, corrupt: string, salvaged: string): Salvaged {
  for (const suffix of [...logSuffixes, '']) disk.remove(salvaged + suffix);
  const into = makeDurable(disk.open(salvaged), durability);
  try {
    migrate(into);
    const from = disk.open(corrupt);
    try {
      return salvage(from, into);
    } finally {
      from.close();
    }
  } finally {
    into.close();
  }
}

function instanceOf(db: Database.Database, newId: () => string): string {
  const known = db.prepare<[], { value: string }>("SELECT value FROM meta WHERE key = 'instance'").get();
  if (known) return known.value;
  const instance = newId();
  db.prepare("INSERT INTO meta (key, value) VALUES ('instance', ?)").run(instance);
  return instance;
}
