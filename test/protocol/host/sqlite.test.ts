import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkIntegrity,
  isCorrupt,
  isDiskFull,
  makeDurable,
  StoreError,
  sqliteCode,
  storeError,
} from '../../../protocol/host/sqlite.ts';
import { tempDir } from '../../support/temp-dir.ts';

const options = { walPages: 250, cacheKiB: 512 };

function open(path: string): Database.Database {
  const db = new Database(path);
  onTestFinished(() => void db.close());
  return db;
}
const newFile = (): string => join(tempDir(), 'test.db');
const pragma = (db: Database.Database, name: string): unknown => db.pragma(name, { simple: true });

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}

/** A file whose pages were overwritten in the middle, as a dying card does. */
function damagedFile(): string {
  const path = newFile();
  const db = new Database(path);
  db.exec('CREATE TABLE t (a TEXT)');
  db.exec(
    'INSERT INTO t WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT hex(zeroblob(100)) FROM n',
  );
  db.close();
  writeFileSync(path, readFileSync(path).fill(0xa5, 3 * 4096, 5 * 4096));
  return path;
}

describe('a durable database', () => {
  test('is in WAL and FULL on the connection that made the file', () => {
    const db = makeDurable(open(newFile()), options);
    expect(pragma(db, 'journal_mode')).toBe('wal');
    expect(pragma(db, 'synchronous')).toBe(2);
  });

  test('is so on every later connection, beside it and after it: SQLite itself would not be', () => {
    const path = newFile();
    const first = makeDurable(open(path), options);
    first.exec('CREATE TABLE t (a)');
    const bare = open(path);
    bare.prepare('SELECT * FROM t').all();
    expect(pragma(bare, 'synchronous')).toBe(1);
    expect(pragma(makeDurable(open(path), options), 'synchronous')).toBe(2);
    first.close();
    bare.close();
    const later = makeDurable(open(path), options);
    expect(pragma(later, 'journal_mode')).toBe('wal');
    expect(pragma(later, 'synchronous')).toBe(2);
    later.exec('INSERT INTO t VALUES (1)');
    expect(pragma(later, 'synchronous')).toBe(2);
  });

  test('bounds its log and its memory, and can hand pages back', () => {
    const db = makeDurable(open(newFile()), options);
    expect(pragma(db, 'wal_autocheckpoint')).toBe(250);
    expect(pragma(db, 'cache_size')).toBe(-512);
    expect(pragma(db, 'journal_size_limit')).toBe(4_194_304);
    expect(pragma(db, 'temp_store')).toBe(2);
    db.exec('CREATE TABLE t (a)');
    expect(pragma(db, 'auto_vacuum')).toBe(2);
  });

  test('is none where the pragmas do not hold: it is closed and StoreError says what was found', () => {
    const db = open(':memory:');
    const error = errorOf(() => makeDurable(db, options));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ message: ':memory:: expected WAL and synchronous 2, found memory and 2' });
    expect(db.open).toBe(false);
  });

  test('is none where the file is no database: it is closed too', () => {
    const path = newFile();
    writeFileSync(path, 'no database at all '.repeat(500));
    const db = open(path);
    const error = errorOf(() => makeDurable(db, options));
    expect(sqliteCode(error)).toBe('SQLITE_NOTADB');
    expect(db.open).toBe(false);
    expect(readFileSync(path, 'utf8')).toMatch(/^no database at all/);
  });
});

describe('an error', () => {
  const full = (): unknown => {
    const db = open(newFile());
    db.exec('CREATE TABLE t (a); PRAGMA max_page_count = 3');
    return errorOf(() => db.exec(`INSERT INTO t VALUES (zeroblob(100000))`));
  };
  const corrupt = (): unknown => {
    const db = open(damagedFile());
    return errorOf(() => db.prepare('SELECT sum(length(a)) FROM t').all());
  };
  const noDatabase = (): unknown => {
    const path = newFile();
    writeFileSync(path, 'no database at all '.repeat(500));
    return errorOf(() => open(path).exec('SELECT * FROM sqlite_schema'));
  };
  const broken = (): unknown => {
    const db = open(newFile());
    db.exec('CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)');
    return errorOf(() => db.exec('INSERT INTO t VALUES (1)'));
  };

  test.each([
    { of: 'a full disk', make: full, is: { code: 'SQLITE_FULL', full: true, corrupt: false } },
    { of: 'a damaged file', make: corrupt, is: { code: 'SQLITE_CORRUPT', full: false, corrupt: true } },
    { of: 'a file that is none', make: noDatabase, is: { code: 'SQLITE_NOTADB', full: false, corrupt: true } },
    { of: 'a rule', make: broken, is: { code: 'SQLITE_CONSTRAINT_UNIQUE', full: false, corrupt: false } },
    { of: 'something else', make: () => new Error('x'), is: { code: '', full: false, corrupt: false } },
    {
      of: 'a number as its code',
      make: () => Object.assign(new Error('x'), { code: 5 }),
      is: { code: '', full: false, corrupt: false },
    },
    { of: 'nothing', make: () => undefined, is: { code: '', full: false, corrupt: false } },
  ])('of $of is told by its code', ({ make, is }) => {
    const error = make();
    expect({ code: sqliteCode(error), full: isDiskFull(error), corrupt: isCorrupt(error) }).toEqual(is);
  });

  test('of any kind becomes the one that the owners know, its cause kept, once', () => {
    const cause = broken();
    const wrapped = storeError(cause);
    expect(wrapped).toBeInstanceOf(StoreError);
    expect(wrapped).toMatchObject({ name: 'StoreError', message: 'UNIQUE constraint failed: t.a', cause });
    expect(storeError(wrapped)).toBe(wrapped);
    expect(storeError('text')).toMatchObject({ message: 'text', cause: 'text' });
  });
});

test('integrity: ok, or what is wrong', () => {
  const whole = open(newFile());
  whole.exec('CREATE TABLE t (a)');
  expect(checkIntegrity(whole)).toBe('ok');
  expect(checkIntegrity(open(damagedFile()))).not.toBe('ok');
  const path = newFile();
  writeFileSync(path, 'no database at all '.repeat(500));
  expect(checkIntegrity(open(path))).toBe('file is not a database');
});
