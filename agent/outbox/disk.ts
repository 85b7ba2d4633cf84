import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';

/** The disk under an outbox: injected, so that a simulation decides what survives a power cut. */
export interface Disk {
  /** Creates the directory and opens the database file in it. */
  open(path: string): Database.Database;
  exists(path: string): boolean;
  sizeBytes(path: string): number;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Writes `bytes` of real data and syncs them; a sparse file would reserve nothing. */
  preallocate(path: string, bytes: number): void;
  /** Free bytes and the free share of the file system; null where it cannot be told. */
  free(path: string): { bytes: number; pct: number } | null;
}

const chunk = Buffer.alloc(64 * 1024, 0xa5);

export const nodeDisk: Disk = {
  open(path) {
    mkdirSync(dirname(path), { recursive: true });
    return new Database(path);
  },
  exists: (path) => existsSync(path),
  sizeBytes: (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
  rename(from, to) {
    renameSync(from, to);
    syncDirectory(dirname(to));
  },
  remove(path) {
    rmSync(path, { force: true });
  },
  preallocate(path, bytes) {
    const file = openSync(path, 'w');
    try {
      for (let written = 0; written < bytes; written += chunk.length)
        writeSync(file, chunk, 0, Math.min(chunk.length, bytes - written));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncDirectory(dirname(path));
  },
  free(path) {
    try {
      const { bavail, blocks, bsize } = statfsSync(dirname(path));
      return { bytes: bavail * bsize, pct: blocks === 0 ? 0 : (100 * bavail) / blocks };
    } catch {
      return null;
    }
  },
};

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
