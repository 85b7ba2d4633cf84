import type Database from 'better-sqlite3';
import { batchEnvelopeBytes } from '../../protocol/codec.ts';
import { isDiskFull, StoreError, storeError } from '../../protocol/host/sqlite.ts';
import { Statements } from '../../protocol/host/statements.ts';
import type { Anchor } from '../core/clock.ts';
import type { EpochPosition } from '../core/delivery-state.ts';
import { composeBatch, type EventRow, type GapRow, rowTime } from './batch.ts';
import { BootTimes } from './boot-times.ts';
import { CommandLedger } from './command-ledger.ts';
import type { Appended, Batch, BatchLimits, Entry, KnownCommand, Outbox, Recovery, Trimmed } from './outbox.ts';
import { trimRows } from './trim.ts';

/** One kept epoch; `n` is its order in this file, `sent` the highest sequence that this process read of it. */
type Epoch = {
  n: number;
  id: string;
  boot: number;
  oldest: number;
  last: number;
  acked: number;
  sent: number;
  rows: number;
};

const sql = {
  epochs: 'SELECT n, id, boot, acked FROM epoch ORDER BY n',
  // Both ends of a clustered index: two page reads an epoch, however many rows it has.
  ends: `SELECT (SELECT seq FROM event WHERE epoch = $n ORDER BY seq LIMIT 1) AS first_row,
                (SELECT seq FROM event WHERE epoch = $n ORDER BY seq DESC LIMIT 1) AS last_row,
                (SELECT from_seq FROM gap WHERE epoch = $n ORDER BY from_seq LIMIT 1) AS first_gap,
                (SELECT to_seq FROM gap WHERE epoch = $n ORDER BY from_seq DESC LIMIT 1) AS last_gap,
                (SELECT coalesce(sum(to_seq - from_seq + 1), 0) FROM gap WHERE epoch = $n) AS gone`,
  insertEpoch: 'INSERT INTO epoch (id, boot) VALUES (?, ?)',
  insertEvent: 'INSERT INTO event (epoch, seq, transition, mono_ms, anchor, body) VALUES (?, ?, ?, ?, ?, ?)',
  remember: 'INSERT INTO checkpoint (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body',
  memory: 'SELECT key, body FROM checkpoint',
  acked: 'UPDATE epoch SET acked = ? WHERE n = ?',
  // A damaged page may still read: one body that is no JSON would make a whole batch unreadable.
  rows: 'SELECT seq, mono_ms, anchor, body FROM event WHERE epoch = ? AND seq >= ? AND json_valid(body) ORDER BY seq LIMIT ?',
  gaps: 'SELECT from_seq, to_seq, mono_ms, anchor, reason, lost FROM gap WHERE epoch = ? AND to_seq >= ? AND from_seq <= ? ORDER BY from_seq LIMIT ?',
  firstAbove: 'SELECT seq, mono_ms, anchor, body FROM event WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT 1',
  purgeRows: 'DELETE FROM event WHERE epoch = ? AND seq <= ?',
  purgeGaps: 'DELETE FROM gap WHERE epoch = ? AND to_seq <= ?',
  dropEpoch: 'DELETE FROM epoch WHERE n = ?',
} as const;

export type OutboxIdentity = { instance: string; boot: string; newId: () => string };

/** The outbox over an open, migrated, sound database. `openOutbox` is the way to one. */
export class SqliteOutbox implements Outbox {
  readonly instance: string;
  readonly durable = true;
  readonly recovered: Recovery | null;
  readonly #db: Database.Database;
  readonly #newId: () => string;
  readonly #statements: Statements;
  readonly #times: BootTimes;
  readonly #commands: CommandLedger;
  readonly #epochs: Epoch[] = [];
  readonly #unsavedAcks = new Set<Epoch>();
  /** 0 until the first epoch of this process is open; every other one is an older process's. */
  #currentN = 0;

  constructor(db: Database.Database, identity: OutboxIdentity, recovered: Recovery | null) {
    this.#db = db;
    this.#newId = identity.newId;
    this.#statements = new Statements(db);
    this.#times = new BootTimes(this.#statements, identity.boot);
    this.#commands = new CommandLedger(this.#statements);
    this.instance = identity.instance;
    this.recovered = recovered;
    this.#loadEpochs();
  }

  currentEpoch(): string {
    return this.#current().id;
  }

  positions(): EpochPosition[] {
    return this.#epochs.map(({ id, oldest, last, acked }) => ({ id, oldest, last, acked }));
  }

  async append(entries: readonly Entry[], memory: Readonly<Record<string, string>>): Promise<Appended> {
    const epoch = this.#current();
    const anchor = this.#times.anchorInForce;
    try {
      this.#db.transaction(() => {
        const insert = this.#statements.prepare(sql.insertEvent);
        let seq = epoch.last;
        for (const { bodyJson, transition, monoMs } of entries) {
          seq += 1;
          insert.run(epoch.n, seq, transition ? 1 : 0, Math.round(monoMs), anchor, bodyJson);
        }
        for (const [key, body] of Object.entries(memory)) this.#statements.prepare(sql.remember).run(key, body);
        this.#saveAcks();
      })();
    } catch (error) {
      if (isDiskFull(error)) return { ok: false, why: 'disk-full' };
      throw storeError(error);
    }
    epoch.last += entries.length;
    epoch.rows += entries.length;
    this.#unsavedAcks.clear();
    return { ok: true, epoch: epoch.id, last: epoch.last };
  }

  async memory(): Promise<Readonly<Record<string, string>>> {
    const rows = this.#statements.all<{ key: string; body: string }>(sql.memory);
    return Object.fromEntries(rows.map(({ key, body }) => [key, body]));
  }

  async read(epochId: string, first: number, limits: BatchLimits): Promise<Batch | null> {
    const epoch = this.#epochs.find((known) => known.id === epochId);
    if (!epoch || first > epoch.last) return null;
    return this.#statements.guard(() => {
      const atMost = limits.maxEvents;
      const rows = this.#statements.all<EventRow>(sql.rows, epoch.n, first, atMost);
      const rowHorizon = rows.length === atMost ? (rows.at(-1)?.seq ?? epoch.last) : epoch.last;
      const gaps = this.#statements.all<GapRow>(sql.gaps, epoch.n, first, rowHorizon, atMost);
      const horizon = gaps.length === atMost ? Math.min(rowHorizon, gaps.at(-1)?.to_seq ?? rowHorizon) : rowHorizon;
      const within = { maxEvents: limits.maxEvents, maxBytes: limits.maxBytes - batchEnvelopeBytes };
      const base = this.#times.timeBase(epoch.boot);
      const fallbackAt = this.anchors().at(-1)?.wallMs ?? null;
      const batch = composeBatch(first, { oldest: epoch.oldest, horizon, rows, gaps, base, fallbackAt }, within);
      epoch.sent = Math.max(epoch.sent, batch?.upTo ?? 0);
      return batch;
    });
  }

  acknowledge(epochId: string, upTo: number): void {
    const epoch = this.#epochs.find((known) => known.id === epochId);
    if (!epoch || epoch.acked === upTo) return;
    if (upTo < epoch.acked) epoch.sent = upTo;
    epoch.acked = upTo;
    this.#unsavedAcks.add(epoch);
  }

  async openEpoch(): Promise<string> {
    return this.#statements.guard(() => {
      const id = this.#newId();
      const boot = this.#times.current;
      const n = Number(this.#statements.run(sql.insertEpoch, id, boot).lastInsertRowid);
      this.#epochs.push({ n, id, boot, oldest: 1, last: 0, acked: 0, sent: 0, rows: 0 });
      this.#currentN = n;
      return id;
    });
  }

  async anchor(anchor: Anchor): Promise<void> {
    this.#transaction(() => this.#times.write(anchor));
    this.#times.reload();
  }

  anchors(): readonly Anchor[] {
    return this.#times.anchors;
  }

  async oldestUnacked(): Promise<number | null> {
    return this.#statements.guard(() => {
      for (const epoch of this.#epochs) {
        if (epoch.acked >= epoch.last) continue;
        const row = this.#statements.get<EventRow>(sql.firstAbove, epoch.n, epoch.acked);
        if (row) return rowTime(row, this.#times.timeBase(epoch.boot))?.at ?? null;
      }
      return null;
    });
  }

  use(): { rows: number; bytes: number } {
    const pages =
      Number(this.#db.pragma('page_count', { simple: true })) -
      Number(this.#db.pragma('freelist_count', { simple: true }));
    const bytes = pages * Number(this.#db.pragma('page_size', { simple: true }));
    return { rows: this.#epochs.reduce((sum, epoch) => sum + epoch.rows, 0), bytes };
  }

  async purge(epochId: string, upTo: number): Promise<number> {
    const epoch = this.#epochs.find((known) => known.id === epochId);
    if (!epoch) return 0;
    return this.#statements.guard(() => {
      const purged = this.#db.transaction(() => {
        const rows = this.#statements.prepare(sql.purgeRows).run(epoch.n, Math.min(upTo, epoch.acked)).changes;
        this.#statements.prepare(sql.purgeGaps).run(epoch.n, Math.min(upTo, epoch.acked));
        return rows;
      })();
      this.#measure(epoch);
      this.#dropEmpty();
      return purged;
    });
  }

  async trim(rows: number): Promise<Trimmed> {
    return this.#statements.guard(() => {
      const trimmed = trimRows(this.#db, this.#epochs, rows);
      for (const epoch of this.#epochs) this.#measure(epoch);
      this.#dropEmpty();
      return trimmed;
    });
  }

  async maintain(): Promise<void> {
    this.#statements.guard(() => {
      this.#db.transaction(() => this.#saveAcks())();
      this.#unsavedAcks.clear();
      this.#db.pragma('incremental_vacuum');
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    });
  }

  async beginCommand(id: string, expiresMs: number): Promise<KnownCommand> {
    return this.#commands.begin(id, expiresMs);
  }

  async endCommand(id: string, reply: string): Promise<void> {
    this.#commands.end(id, reply);
  }

  async forgetCommands(wallMs: number): Promise<void> {
    this.#commands.forget(wallMs);
  }

  async close(): Promise<void> {
    if (!this.#db.open) return;
    try {
      this.#db.transaction(() => this.#saveAcks())();
    } catch (error) {
      if (!isDiskFull(error)) throw storeError(error);
    } finally {
      this.#db.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #loadEpochs(): void {
    for (const { n, id, boot, acked } of this.#statements.all<{ n: number; id: string; boot: number; acked: number }>(
      sql.epochs,
    )) {
      const epoch: Epoch = { n, id, boot, acked, oldest: 1, last: 0, sent: 0, rows: 0 };
      this.#measure(epoch);
      this.#epochs.push(epoch);
    }
    this.#dropEmpty();
  }

  /** Ends and rows of an epoch from the file; the end of the current one is known better in memory. */
  #measure(epoch: Epoch): void {
    type Ends = {
      first_row: number | null;
      last_row: number | null;
      first_gap: number | null;
      last_gap: number | null;
      gone: number;
    };
    const ends = this.#statements.get<Ends>(sql.ends, { n: epoch.n });
    const firsts = [ends?.first_row, ends?.first_gap].filter((seq) => seq !== null && seq !== undefined);
    epoch.last = Math.max(epoch.last, ends?.last_row ?? 0, ends?.last_gap ?? 0);
    epoch.oldest = firsts.length === 0 ? epoch.last + 1 : Math.min(...firsts);
    epoch.rows = Math.max(0, epoch.last - epoch.oldest + 1 - (ends?.gone ?? 0));
  }

  /** Epochs without rows and receipts are done, but for the one that is appended to. */
  #dropEmpty(): void {
    const done = this.#epochs.filter((epoch) => epoch.oldest > epoch.last && epoch.n !== this.#currentN);
    if (done.length === 0) return;
    this.#transaction(() => {
      for (const { n } of done) this.#statements.run(sql.dropEpoch, n);
      this.#times.forgetUnused();
    });
    for (const epoch of done) this.#epochs.splice(this.#epochs.indexOf(epoch), 1);
    this.#times.reload();
  }

  #saveAcks(): void {
    for (const epoch of this.#unsavedAcks) this.#statements.prepare(sql.acked).run(epoch.acked, epoch.n);
  }

  #current(): Epoch {
    const epoch = this.#epochs.at(-1);
    if (!epoch || epoch.n !== this.#currentN) throw new StoreError('no epoch is open');
    return epoch;
  }

  #transaction<T>(work: () => T): T {
    return this.#statements.guard(() => this.#db.transaction(work)());
  }
}
