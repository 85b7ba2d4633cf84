import type Database from 'better-sqlite3';
import { sqliteCode } from '../../protocol/host/sqlite.ts';

/** Rows that a corrupt file still gave, by table. */
export type Salvaged = { events: number; gaps: number; memory: number };

type Row = Record<string, unknown>;
type Table = { name: string; columns: readonly string[]; key: readonly string[] };

/** Parents before children: an event without its epoch could not be sent. */
const tables: readonly Table[] = [
  { name: 'boot', columns: ['n', 'id', 'first_mono_ms', 'last_mono_ms', 'lower_ms', 'upper_ms'], key: ['n'] },
  { name: 'epoch', columns: ['n', 'id', 'boot', 'acked'], key: ['n'] },
  { name: 'anchor', columns: ['n', 'boot', 'mono_ms', 'wall_ms', 'source'], key: ['n'] },
  {
    name: 'gap',
    columns: ['epoch', 'from_seq', 'to_seq', 'mono_ms', 'anchor', 'reason', 'lost'],
    key: ['epoch', 'from_seq'],
  },
  { name: 'checkpoint', columns: ['key', 'body'], key: ['key'] },
  { name: 'command', columns: ['id', 'expires_ms', 'reply'], key: ['id'] },
];

const eventColumns = ['seq', 'transition', 'mono_ms', 'anchor', 'body'];

/**
 * Copies what can be read from a corrupt outbox into a new one, row by row. A damaged page ends a
 * scan, so each stretch is read from both ends; events are read epoch by epoch, which confines the
 * damage to the epochs that it hit. Sequences that are missing then are sent as gaps.
 */
export function salvage(from: Database.Database, into: Database.Database): Salvaged {
  const counts: Record<string, number> = {};
  into.transaction(() => {
    for (const table of tables) counts[table.name] = copyTable(from, into, table);
    counts['event'] = 0;
    for (const { n } of readable<{ n: number }>(into, 'SELECT n FROM epoch ORDER BY n', [])) {
      counts['event'] += copyEvents(from, into, n);
    }
  })();
  return { events: counts['event'] ?? 0, gaps: counts['gap'] ?? 0, memory: counts['checkpoint'] ?? 0 };
}

function copyTable(from: Database.Database, into: Database.Database, { name, columns, key }: Table): number {
  const select = `SELECT ${columns.join(', ')} FROM ${name} ORDER BY`;
  const ascending = readable<Row>(from, `${select} ${key.join(', ')}`, []);
  const descending = readable<Row>(from, `${select} ${key.map((column) => `${column} DESC`).join(', ')}`, []);
  return insertAll(into, name, columns, [...ascending, ...descending]);
}

function copyEvents(from: Database.Database, into: Database.Database, epoch: number): number {
  const select = `SELECT ${eventColumns.join(', ')} FROM event WHERE epoch = ? ORDER BY seq`;
  const rows = [...readable<Row>(from, select, [epoch]), ...readable<Row>(from, `${select} DESC`, [epoch])];
  return insertAll(
    into,
    'event',
    ['epoch', ...eventColumns],
    rows.map((row) => ({ epoch, ...row })),
  );
}

/** Every row up to the first that cannot be read. */
function readable<R>(db: Database.Database, select: string, parameters: readonly unknown[]): R[] {
  const rows: R[] = [];
  try {
    for (const row of db.prepare(select).iterate(...parameters)) rows.push(row as R);
  } catch {
    // The damage begins here; the scan from the other end shows what lies behind it.
  }
  return rows;
}

/** Rows that the new schema refuses (a damaged value) are left out. */
function insertAll(into: Database.Database, table: string, columns: readonly string[], rows: readonly Row[]): number {
  const insert = into.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`,
  );
  let copied = 0;
  for (const row of rows) {
    try {
      copied += insert.run(row).changes;
    } catch (error) {
      // A value of the wrong type: the page was read, its content is damaged.
      if (!sqliteCode(error).startsWith('SQLITE_CONSTRAINT')) throw error;
    }
  }
  return copied;
}
