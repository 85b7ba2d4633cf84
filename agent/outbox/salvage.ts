import type Database from 'better-sqlite3';
import { sqliteCode } from '../../protocol/host/sqlite.ts';

/** Rows that a corrupt file still gave, by table. */
export type Salvaged = { events: number; gaps: number; memory: number };

type Row = Record<string, unknown>;
type Table = { name: string; columns: readonly string[]; key: readonly string[]; where?: string };

/** Parents before children: an event without its epoch could not be sent. */
const parents: readonly Table[] = [
  { name: 'boot', columns: ['n', 'id', 'first_mono_ms', 'last_mono_ms', 'lower_ms', 'upper_ms'], key: ['n'] },
  { name: 'epoch', columns: ['n', 'id', 'boot', 'acked'], key: ['n'] },
  { name: 'anchor', columns: ['n', 'boot', 'mono_ms', 'wall_ms', 'source'], key: ['n'] },
];
const gaps: Table = {
  name: 'gap',
  columns: ['epoch', 'from_seq', 'to_seq', 'mono_ms', 'anchor', 'reason', 'lost'],
  key: ['epoch', 'from_seq'],
};
const memory: Table = { name: 'checkpoint', columns: ['key', 'body'], key: ['key'] };
const commands: Table = { name: 'command', columns: ['id', 'expires_ms', 'reply'], key: ['id'] };
const events: Table = {
  name: 'event',
  columns: ['epoch', 'seq', 'transition', 'mono_ms', 'anchor', 'body'],
  key: ['seq'],
  where: 'epoch = ?',
};

const sql = {
  // Their unique indexes hold the ids a second time.
  bootIds: 'SELECT n, id FROM boot INDEXED BY sqlite_autoindex_boot_1 ORDER BY id',
  epochIds: 'SELECT n, id FROM epoch INDEXED BY sqlite_autoindex_epoch_1 ORDER BY id',
  anchorOfEpoch: 'SELECT anchor FROM event WHERE epoch = ? AND anchor IS NOT NULL LIMIT 1',
  insertBoot: 'INSERT OR IGNORE INTO boot (n, id) VALUES (?, ?)',
  insertEpoch: `INSERT OR IGNORE INTO epoch (n, id, boot)
                VALUES (?, ?, coalesce((SELECT boot FROM anchor WHERE n = ?), (SELECT max(n) FROM boot), 0) )`,
  // Their anchors still tell the time; without one they are placed between their neighbours.
  standInBoots: `INSERT INTO boot (n, id)
                 SELECT DISTINCT boot, 'salvaged-' || boot FROM epoch WHERE boot NOT IN (SELECT n FROM boot)`,
  epochs: 'SELECT n FROM epoch ORDER BY n',
  stretches: `SELECT seq AS first, seq AS last, mono_ms, anchor FROM event WHERE epoch = $epoch
              UNION ALL SELECT from_seq, to_seq, mono_ms, anchor FROM gap WHERE epoch = $epoch ORDER BY 1`,
  insertGap: `INSERT INTO gap (epoch, from_seq, to_seq, mono_ms, anchor, reason, lost) VALUES (?, ?, ?, ?, ?, 'corrupt', '{}')`,
} as const;

/**
 * Copies what can be read from a corrupt outbox into a new one, row by row. A damaged page ends a
 * scan, so each stretch is read from both ends; events are read epoch by epoch, which confines the
 * damage to the epochs that it hit. Sequences that are missing between others leave receipts.
 *
 * @throws Error where the new file does not take it
 */
export function salvage(from: Database.Database, into: Database.Database): Salvaged {
  // The damaged definition of one table does not hide the others then.
  from.unsafeMode(true);
  from.pragma('writable_schema = ON');
  return into.transaction(() => {
    for (const table of parents) copy(from, into, table);
    copyByIndex(from, into);
    into.exec(sql.standInBoots);
    copy(from, into, commands);
    const epochs = into.prepare<[], { n: number }>(sql.epochs).all();
    const salvaged = {
      events: epochs.reduce((sum, { n }) => sum + copy(from, into, events, [n]), 0),
      gaps: copy(from, into, gaps),
      memory: copy(from, into, memory),
    };
    for (const { n } of epochs) leaveReceipts(into, n);
    return salvaged;
  })();
}

/** Boots and epochs of which only their index was left. */
function copyByIndex(from: Database.Database, into: Database.Database): void {
  type Id = { n: number; id: string };
  const boot = into.prepare(sql.insertBoot);
  const epoch = into.prepare(sql.insertEpoch);
  for (const { n, id } of readable<Id>(from, sql.bootIds)) insertSound(boot, [n, id]);
  for (const { n, id } of readable<Id>(from, sql.epochIds)) {
    const [first] = readable<{ anchor: number }>(from, sql.anchorOfEpoch, [n]);
    insertSound(epoch, [n, id, first?.anchor ?? null]);
  }
}

/** Row by row: a board's memory does not hold a whole outbox. */
function copy(
  from: Database.Database,
  into: Database.Database,
  { name, columns, key, where }: Table,
  parameters: readonly unknown[] = [],
): number {
  const places = columns.map(() => '?').join(', ');
  const insert = into.prepare(`INSERT OR IGNORE INTO ${name} (${columns.join(', ')}) VALUES (${places})`);
  const select = `SELECT ${columns.join(', ')} FROM ${name} ${where ? `WHERE ${where}` : ''} ORDER BY`;
  let copied = 0;
  for (const direction of ['ASC', 'DESC']) {
    const order = key.map((column) => `${column} ${direction}`).join(', ');
    for (const row of readable<Row>(from, `${select} ${order}`, parameters)) {
      const values = columns.map((column) => row[column]);
      copied += insertSound(insert, values);
    }
  }
  return copied;
}

function leaveReceipts(into: Database.Database, epoch: number): void {
  type Stretch = { first: number; last: number; mono_ms: number; anchor: number | null };
  const holes: [from: number, to: number, monoMs: number, anchor: number | null][] = [];
  let next: number | null = null;
  for (const { first, last, mono_ms, anchor } of into.prepare<object, Stretch>(sql.stretches).iterate({ epoch })) {
    if (next !== null && first > next) holes.push([next, first - 1, mono_ms, anchor]);
    next = Math.max(next ?? 0, last + 1);
  }
  for (const hole of holes) into.prepare(sql.insertGap).run(epoch, ...hole);
}

/** Every row up to the first that cannot be read; the scan from the other end shows what lies behind it. */
function* readable<R>(db: Database.Database, select: string, parameters: readonly unknown[] = []): Generator<R> {
  try {
    for (const row of db.prepare(select).iterate(...parameters)) yield row as R;
  } catch {
    // The damage begins here.
  }
}

/** Rows that the new schema refuses are left out: the page was read, its content is damaged. */
function insertSound(insert: Database.Statement, values: readonly unknown[]): number {
  try {
    return insert.run(...values).changes;
  } catch (error) {
    if (!sqliteCode(error).startsWith('SQLITE_CONSTRAINT')) throw error;
    return 0;
  }
}
