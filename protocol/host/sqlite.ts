import type Database from 'better-sqlite3';

/** Storage failed: the file is to be closed, checked and opened again (protocol README §3, rule 11). */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}

/** SQLite's FULL; NORMAL would lose committed rows in a power cut. */
const fullSync = 2;

const incrementalVacuum = 2;

export type DurableOptions = {
  /** Pages in the write-ahead log before they move into the file. */
  walPages: number;
  cacheKiB: number;
};

/**
 * Makes a database just opened one whose commits survive a power cut, and makes sure of it:
 * better-sqlite3 is built to open any later connection to a WAL file at NORMAL.
 *
 * @throws StoreError where the pragmas do not hold; the database is closed then
 */
export function makeDurable(db: Database.Database, { walPages, cacheKiB }: DurableOptions): Database.Database {
  try {
    // A new file alone can take this; it lets maintenance hand pages back. Said again it would be a write a start.
    if (db.pragma('auto_vacuum', { simple: true }) !== incrementalVacuum) db.pragma('auto_vacuum = INCREMENTAL');
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    db.pragma('synchronous = FULL');
    const sync = db.pragma('synchronous', { simple: true });
    if (mode !== 'wal' || sync !== fullSync)
      throw new StoreError(`${db.name}: expected WAL and synchronous 2, found ${mode} and ${sync}`);
    db.pragma(`wal_autocheckpoint = ${walPages}`);
    db.pragma('journal_size_limit = 4194304');
    db.pragma(`cache_size = ${-cacheKiB}`);
    db.pragma('temp_store = MEMORY');
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}

export function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** No room: expected, and answered by the trim rule. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_FULL');
}

export function isCorrupt(error: unknown): boolean {
  const code = sqliteCode(error);
  return code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB');
}

/** Any failure of the database as the one error that its owners know. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError(error instanceof Error ? error.message : String(error), { cause: error });
}

/** `ok`, or what SQLite finds wrong with the file. */
export function checkIntegrity(db: Database.Database): string {
  try {
    return String(db.pragma('quick_check(1)', { simple: true }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
