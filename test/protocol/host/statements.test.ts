import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { Statements } from '../../../protocol/host/statements.ts';

function statements(): Statements {
  const db = new Database(':memory:');
  onTestFinished(() => void db.close());
  db.exec('CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT');
  return new Statements(db);
}

const insert = 'INSERT INTO t (a, b) VALUES (?, ?)';

test('runs, gets and lists with parameters', () => {
  const sql = statements();
  expect(sql.run(insert, 1, 'x').changes).toBe(1);
  sql.run(insert, 2, 'y');
  expect(sql.get('SELECT b FROM t WHERE a = ?', 2)).toEqual({ b: 'y' });
  expect(sql.get('SELECT b FROM t WHERE a = ?', 9)).toBeUndefined();
  expect(sql.all('SELECT a FROM t WHERE a >= ? ORDER BY a DESC', 1)).toEqual([{ a: 2 }, { a: 1 }]);
});

test('prepares a text once', () => {
  const sql = statements();
  expect(sql.prepare(insert)).toBe(sql.prepare(insert));
  expect(sql.prepare(insert)).not.toBe(sql.prepare('SELECT 1'));
});

test.each<{ what: string; work: (sql: Statements) => unknown; code: string }>([
  { what: 'run', work: (sql) => sql.run(insert, 1, null), code: 'SQLITE_CONSTRAINT_NOTNULL' },
  { what: 'get', work: (sql) => sql.get('SELECT c FROM t'), code: 'SQLITE_ERROR' },
  { what: 'all', work: (sql) => sql.all('SELECT * FROM nowhere'), code: 'SQLITE_ERROR' },
  {
    what: 'guard',
    work: (sql) => sql.guard(() => sql.prepare(insert).run(1, null)),
    code: 'SQLITE_CONSTRAINT_NOTNULL',
  },
])('$what throws StoreError with its cause', ({ work, code }) => {
  const sql = statements();
  let thrown: unknown;
  try {
    work(sql);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(StoreError);
  expect(thrown).toMatchObject({ cause: { code } });
});

test('a statement of its own throws what SQLite throws, so that a full disk can be told', () => {
  const sql = statements();
  expect(() => sql.prepare(insert).run(1, null)).toThrow(Database.SqliteError);
});

test('guard gives back what the work gives', () => {
  expect(statements().guard(() => 5)).toBe(5);
});
