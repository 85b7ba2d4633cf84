import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { ConfigError } from './config-error.ts';
import { sqliteCode } from './sqlite.ts';

/**
 * Keeps a second process off the same data directory. The lock is the operating system's, held
 * through an SQLite file, so that it goes with the process, however that ends.
 *
 * @param holder what the other process is, for the message
 * @throws ConfigError where another process holds it, or the directory cannot be used
 */
export function lockDirectory(directory: string, file: string, holder: string): Disposable {
  try {
    mkdirSync(directory, { recursive: true });
    const db = openExclusively(join(directory, file));
    return { [Symbol.dispose]: () => void db.close() };
  } catch (cause) {
    const busy = sqliteCode(cause).startsWith('SQLITE_BUSY');
    const problem = busy
      ? `another ${holder} is using this directory`
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new ConfigError(directory, [problem], { cause });
  }
}

function openExclusively(path: string): Database.Database {
  const db = new Database(path, { timeout: 0 });
  try {
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}
