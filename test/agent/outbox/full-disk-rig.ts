import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A disk that can be filled up, and the directory on it. */
export type FullDisk = {
  disk: Disk;
  dataDir: string;
  /** Something else takes all the room that is left. */
  fill: () => void;
  /** And gives it back. */
  clear: () => void;
};

/** After `commits` of a hundred events each such a disk had to give some up. */
export type FullDiskKind = { kind: string; ballastBytes: number; commits: number; make: () => FullDisk };

/** Real disks by a file system of their own where this process may mount one; SQLite's page limit everywhere. */
export const fullDisks: readonly FullDiskKind[] = [
  { kind: 'a limit of pages', ballastBytes: 256 * 1024, commits: 30, make: pageLimit },
  ...(canMount()
    ? [{ kind: 'a small file system', ballastBytes: 4 * 1024 * 1024, commits: 140, make: smallFileSystem }]
    : []),
];

/** The database may take no page more, nor be opened, as on a full disk; only the ballast makes room. */
function pageLimit(): FullDisk {
  const dataDir = tempDir();
  const opened: Database.Database[] = [];
  let full = false;
  let spareBytes = 0;
  const limit = (db: Database.Database): void => {
    const now = Number(db.pragma('page_count', { simple: true }));
    db.pragma(`max_page_count = ${full ? now + Math.floor(spareBytes / 4096) : 1_000_000_000}`);
  };
  const limitAll = (): void => {
    for (const db of opened) if (db.open) limit(db);
  };
  const disk: Disk = {
    ...nodeDisk,
    open(path) {
      if (full && spareBytes === 0) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
      const db = nodeDisk.open(path);
      opened.push(db);
      limit(db);
      return db;
    },
    remove(path) {
      spareBytes += nodeDisk.sizeBytes(path);
      nodeDisk.remove(path);
      limitAll();
    },
    preallocate(path, bytes) {
      if (full) throw new Error('ENOSPC: no space left on device, write');
      nodeDisk.preallocate(path, bytes);
    },
    free: () => (full ? null : { bytes: 1e9, pct: 50 }),
  };
  const become = (now: boolean): void => {
    full = now;
    spareBytes = 0;
    limitAll();
  };
  return { disk, dataDir, fill: () => become(true), clear: () => become(false) };
}

function smallFileSystem(): FullDisk {
  const mountPoint = tempDir();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', mountPoint]);
  onTestFinished(() => void execFileSync('umount', ['--lazy', mountPoint]));
  const filler = join(mountPoint, 'filler');
  return {
    disk: nodeDisk,
    dataDir: join(mountPoint, 'data'),
    fill() {
      try {
        nodeDisk.preallocate(filler, 16 * 1024 * 1024);
      } catch {
        // Full.
      }
    },
    clear: () => rmSync(filler, { force: true }),
  };
}

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
