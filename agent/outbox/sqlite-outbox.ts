import type Database from 'better-sqlite3';
import { batchEnvelopeBytes } from '../../protocol/codec.ts';
import { isDiskFull, StoreError, storeError } from '../../protocol/host/sqlite.ts';
import { type Anchor, type BootEstimate, type BootSpan, estimateBoots, wallAt } from '../core/clock.ts';
import type { EpochPosition } from '../core/delivery.ts';
import { composeBatch, type EventRow, type GapRow, rowTime, type TimeBase } from './batch.ts';
import type { Appended, Batch, BatchLimits, Entry, KnownCommand, Outbox, Recovery, Trimmed } from './outbox.ts';
import { trimRows } from './trim.ts';

/** One kept epoch; `n` is its order in this file. */
type Epoch = { n: number; id: string; boot: number; oldest: number; last: number; acked: number; rows: number };

type BootRow = {
  n: number;
  id: string;
  first_mono_ms: number | null;
  last_mono_ms: number | null;
  lower_ms: number | null;
  upper_ms: number | null;
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
  insertBoot: 'INSERT INTO boot (id) VALUES (?) ON CONFLICT (id) DO NOTHING',
  boots: 'SELECT n, id, first_mono_ms, last_mono_ms, lower_ms, upper_ms FROM boot ORDER BY n',
  anchors:
    'SELECT a.n, b.id AS boot, a.mono_ms, a.wall_ms, a.source FROM anchor a JOIN boot b ON b.n = a.boot ORDER BY a.n',
  insertAnchor: 'INSERT INTO anchor (boot, mono_ms, wall_ms, source) VALUES (?, ?, ?, ?)',
  estimate: 'UPDATE boot SET first_mono_ms = ?, last_mono_ms = ?, lower_ms = ?, upper_ms = ? WHERE n = ?',
  insertEvent: 'INSERT INTO event (epoch, seq, transition, mono_ms, anchor, body) VALUES (?, ?, ?, ?, ?, ?)',
  remember: 'INSERT INTO checkpoint (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body',
  memory: 'SELECT key, body FROM checkpoint',
  acked: 'UPDATE epoch SET acked = ? WHERE n = ?',
  rows: 'SELECT seq, mono_ms, anchor, body FROM event WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?',
  gaps: 'SELECT from_seq, to_seq, mono_ms, anchor, reason, lost FROM gap WHERE epoch = ? AND to_seq >= ? AND from_seq <= ? ORDER BY from_seq LIMIT ?',
  firstAbove: 'SELECT seq, mono_ms, anchor, body FROM event WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT 1',
  lastRow: 'SELECT seq, mono_ms, anchor, body FROM event WHERE epoch = ? ORDER BY seq DESC LIMIT 1',
  purgeRows: 'DELETE FROM event WHERE epoch = ? AND seq <= ?',
  purgeGaps: 'DELETE FROM gap WHERE epoch = ? AND to_seq <= ?',
  dropEpoch: 'DELETE FROM epoch WHERE n = ?',
  dropAnchors: 'DELETE FROM anchor WHERE boot <> ? AND boot NOT IN (SELECT boot FROM epoch)',
  dropBoots: 'DELETE FROM boot WHERE n <> ? AND n NOT IN (SELECT boot FROM epoch)',
  knownCommand: 'SELECT reply FROM command WHERE id = ?',
  beginCommand: 'INSERT INTO command (id, expires_ms) VALUES (?, ?)',
  endCommand: 'UPDATE command SET reply = ? WHERE id = ?',
  forgetCommands: 'DELETE FROM command WHERE expires_ms < ?',
} as const;

export type OutboxIdentity = { instance: string; boot: string; newId: () => string };

/** The outbox over an open, migrated, sound database. `openOutbox` is the way to one. */
export class SqliteOutbox implements Outbox {
  readonly instance: string;
  readonly durable = true;
  readonly recovered: Recovery | null;
  readonly #db: Database.Database;
  readonly #identity: OutboxIdentity;
  readonly #prepared = new Map<string, Database.Statement>();
  readonly #epochs: Epoch[] = [];
  readonly #unsavedAcks = new Set<Epoch>();
  #bootN = 0;
  /** 0 until the first epoch of this process is open; every other one is an older process's. */
  #currentN = 0;
  #anchors: (Anchor & { n: number })[] = [];
  #boots: BootRow[] = [];

  constructor(db: Database.Database, identity: OutboxIdentity, recovered: Recovery | null) {
    this.#db = db;
    this.#identity = identity;
    this.instance = identity.instance;
    this.recovered = recovered;
    this.#guard(() => {
      this.#statement(sql.insertBoot).run(identity.boot);
      this.#loadClock();
      this.#loadEpochs();
    });
  }

  currentEpoch(): string {
    return this.#current().id;
  }

  positions(): EpochPosition[] {
    return this.#epochs.map(({ id, oldest, last, acked }) => ({ id, oldest, last, acked }));
  }

  async append(entries: readonly Entry[], memory: Readonly<Record<string, string>>): Promise<Appended> {
    const epoch = this.#current();
    const anchor = this.#anchors.findLast((known) => known.boot === this.#identity.boot)?.n ?? null;
    try {
      this.#db.transaction(() => {
        const insert = this.#statement(sql.insertEvent);
        let seq = epoch.last;
        for (const { bodyJson, transition, monoMs } of entries) {
          seq += 1;
          insert.run(epoch.n, seq, transition ? 1 : 0, Math.round(monoMs), anchor, bodyJson);
        }
        for (const [key, body] of Object.entries(memory)) this.#statement(sql.remember).run(key, body);
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
    const rows = this.#guard(() => this.#db.prepare<[], { key: string; body: string }>(sql.memory).all());
    return Object.fromEntries(rows.map(({ key, body }) => [key, body]));
  }

  async read(epochId: string, first: number, limits: BatchLimits): Promise<Batch | null> {
    const epoch = this.#epochs.find((known) => known.id === epochId);
    if (!epoch || first > epoch.last) return null;
    return this.#guard(() => {
      const atMost = limits.maxEvents;
      const rows = this.#all<EventRow>(sql.rows, epoch.n, first, atMost);
      const rowHorizon = rows.length === atMost ? (rows.at(-1)?.seq ?? epoch.last) : epoch.last;
      const gaps = this.#all<GapRow>(sql.gaps, epoch.n, first, rowHorizon, atMost);
      const horizon = gaps.length === atMost ? Math.min(rowHorizon, gaps.at(-1)?.to_seq ?? rowHorizon) : rowHorizon;
      const within = { maxEvents: limits.maxEvents, maxBytes: limits.maxBytes - batchEnvelopeBytes };
      const newest = this.#anchors.at(-1);
      return composeBatch(first, horizon, rows, gaps, this.#timeBase(epoch), within, newest?.wallMs ?? null);
    });
  }

  acknowledge(epochId: string, upTo: number): void {
    const epoch = this.#epochs.find((known) => known.id === epochId);
    if (!epoch || epoch.acked === upTo) return;
    epoch.acked = upTo;
    this.#unsavedAcks.add(epoch);
  }

  async openEpoch(): Promise<string> {
    return this.#guard(() => {
      const id = this.#identity.newId();
      const n = Number(this.#statement(sql.insertEpoch).run(id, this.#bootN).lastInsertRowid);
      this.#epochs.push({ n, id, boot: this.#bootN, oldest: 1, last: 0, acked: 0, rows: 0 });
      this.#currentN = n;
      return id;
    });
  }

  async anchor(anchor: Anchor): Promise<void> {
    this.#guard(() => {
      this.#db.transaction(() => {
        const first = !this.#anchors.some((known) => known.boot === anchor.boot);
        if (first) this.#boundEarlierBoots(anchor);
        this.#statement(sql.insertAnchor).run(this.#bootN, anchor.monoMs, anchor.wallMs, anchor.source);
      })();
      this.#loadClock();
    });
  }

  anchors(): readonly Anchor[] {
    return this.#anchors;
  }

  async oldestUnacked(): Promise<number | null> {
    return this.#guard(() => {
      for (const epoch of this.#epochs) {
        if (epoch.acked >= epoch.last) continue;
        const row = this.#get<EventRow>(sql.firstAbove, epoch.n, epoch.acked);
        return row ? (rowTime(row, this.#timeBase(epoch))?.at ?? null) : null;
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
    return this.#guard(() => {
      const purged = this.#db.transaction(() => {
        const rows = this.#statement(sql.purgeRows).run(epoch.n, Math.min(upTo, epoch.acked)).changes;
        this.#statement(sql.purgeGaps).run(epoch.n, Math.min(upTo, epoch.acked));
        return rows;
      })();
      this.#measure(epoch);
      this.#dropEmpty();
      return purged;
    });
  }

  async trim(rows: number): Promise<Trimmed> {
    return this.#guard(() => {
      const trimmed = trimRows(this.#db, this.#epochs, rows);
      for (const epoch of this.#epochs) this.#measure(epoch);
      this.#dropEmpty();
      return trimmed;
    });
  }

  async maintain(): Promise<void> {
    this.#guard(() => {
      this.#db.transaction(() => this.#saveAcks())();
      this.#unsavedAcks.clear();
      this.#db.pragma('incremental_vacuum');
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    });
  }

  async beginCommand(id: string, expiresMs: number): Promise<KnownCommand> {
    return this.#guard(() => {
      const known = this.#get<{ reply: string | null }>(sql.knownCommand, id);
      if (known) return known.reply === null ? { kind: 'interrupted' } : { kind: 'answered', reply: known.reply };
      this.#statement(sql.beginCommand).run(id, expiresMs);
      return { kind: 'new' };
    });
  }

  async endCommand(id: string, reply: string): Promise<void> {
    this.#guard(() => this.#statement(sql.endCommand).run(reply, id));
  }

  async forgetCommands(wallMs: number): Promise<void> {
    this.#guard(() => this.#statement(sql.forgetCommands).run(wallMs));
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

  #loadClock(): void {
    this.#boots = this.#all<BootRow>(sql.boots);
    this.#bootN = this.#boots.find((boot) => boot.id === this.#identity.boot)?.n ?? 0;
    type Row = { n: number; boot: string; mono_ms: number; wall_ms: number; source: 'system' | 'cloud' };
    this.#anchors = this.#all<Row>(sql.anchors).map(({ n, boot, mono_ms, wall_ms, source }) => ({
      n,
      boot,
      monoMs: mono_ms,
      wallMs: wall_ms,
      source,
    }));
  }

  #loadEpochs(): void {
    for (const { n, id, boot, acked } of this.#all<{ n: number; id: string; boot: number; acked: number }>(
      sql.epochs,
    )) {
      const epoch: Epoch = { n, id, boot, acked, oldest: 1, last: 0, rows: 0 };
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
    const ends = this.#get<Ends>(sql.ends, { n: epoch.n });
    const firsts = [ends?.first_row, ends?.first_gap].filter((seq) => seq !== null && seq !== undefined);
    epoch.last = Math.max(epoch.last, ends?.last_row ?? 0, ends?.last_gap ?? 0);
    epoch.oldest = firsts.length === 0 ? epoch.last + 1 : Math.min(...firsts);
    epoch.rows = Math.max(0, epoch.last - epoch.oldest + 1 - (ends?.gone ?? 0));
  }

  /** Epochs without rows and receipts are done, but for the one that is appended to. */
  #dropEmpty(): void {
    const done = this.#epochs.filter((epoch) => epoch.oldest > epoch.last && epoch.n !== this.#currentN);
    if (done.length === 0) return;
    this.#db.transaction(() => {
      for (const { n } of done) this.#statement(sql.dropEpoch).run(n);
      this.#statement(sql.dropAnchors).run(this.#bootN);
      this.#statement(sql.dropBoots).run(this.#bootN);
    })();
    for (const epoch of done) this.#epochs.splice(this.#epochs.indexOf(epoch), 1);
    this.#loadClock();
  }

  #boundEarlierBoots(anchor: Anchor): void {
    const anchored = new Set(this.#anchors.map((known) => known.boot));
    const lost = this.#boots.filter((boot) => boot.n < this.#bootN && !anchored.has(boot.id) && boot.upper_ms === null);
    const spans = lost.flatMap((boot) => this.#spanOf(boot));
    const earlier = this.#boots.filter((boot) => anchored.has(boot.id) && boot.n < (lost[0]?.n ?? 0)).at(-1);
    const estimates = estimateBoots(spans, earlier ? this.#lastWallOf(earlier) : 0, anchor);
    for (const boot of lost) {
      const estimate = estimates.get(boot.id);
      if (!estimate) continue;
      const { firstMonoMs, lastMonoMs, lowerMs, upperMs } = estimate;
      this.#statement(sql.estimate).run(
        Math.round(firstMonoMs),
        Math.round(lastMonoMs),
        Math.round(lowerMs),
        Math.round(upperMs),
        boot.n,
      );
    }
  }

  #spanOf(boot: BootRow): BootSpan[] {
    const monos = this.#epochs
      .filter((epoch) => epoch.boot === boot.n)
      .flatMap((epoch) => [this.#get<EventRow>(sql.firstAbove, epoch.n, 0), this.#get<EventRow>(sql.lastRow, epoch.n)])
      .flatMap((row) => (row ? [row.mono_ms] : []));
    return monos.length === 0
      ? []
      : [{ boot: boot.id, firstMonoMs: Math.min(...monos), lastMonoMs: Math.max(...monos) }];
  }

  /** Wall time of the last thing known of a boot that had a clock. */
  #lastWallOf(boot: BootRow): number {
    const anchor = this.#anchors.findLast((known) => known.boot === boot.id);
    if (!anchor) return 0;
    const [span] = this.#spanOf(boot);
    return Math.max(anchor.wallMs, span ? wallAt(anchor, span.lastMonoMs) : 0);
  }

  #timeBase(epoch: Epoch): TimeBase {
    const boot = this.#boots.find((known) => known.n === epoch.boot);
    const own = this.#anchors.filter((anchor) => anchor.boot === boot?.id);
    return {
      anchors: new Map(own.map((anchor) => [anchor.n, anchor])),
      first: own[0] ?? null,
      estimate: boot ? estimateOf(boot) : null,
    };
  }

  #saveAcks(): void {
    for (const epoch of this.#unsavedAcks) this.#statement(sql.acked).run(epoch.acked, epoch.n);
  }

  #current(): Epoch {
    const epoch = this.#epochs.at(-1);
    if (!epoch || epoch.n !== this.#currentN) throw new StoreError('no epoch is open');
    return epoch;
  }

  #statement(text: string): Database.Statement {
    let statement = this.#prepared.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#prepared.set(text, statement);
    }
    return statement;
  }

  #all<Row>(text: string, ...parameters: unknown[]): Row[] {
    return this.#statement(text).all(...parameters) as Row[];
  }

  #get<Row>(text: string, ...parameters: unknown[]): Row | undefined {
    return this.#statement(text).get(...parameters) as Row | undefined;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error);
    }
  }
}

function estimateOf({ first_mono_ms, last_mono_ms, lower_ms, upper_ms }: BootRow): BootEstimate | null {
  if (first_mono_ms === null || last_mono_ms === null || lower_ms === null || upper_ms === null) return null;
  return { firstMonoMs: first_mono_ms, lastMonoMs: last_mono_ms, lowerMs: lower_ms, upperMs: upper_ms };
}
