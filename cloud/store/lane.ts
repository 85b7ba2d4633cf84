import type Database from 'better-sqlite3';
import type { SequencedEvent } from '../../protocol/codec.ts';
import type { GapEvent, StationEvent } from '../../protocol/events.ts';
import { advance, placeBatch, type Stretch } from '../core/sequence.ts';
import { GroupSums } from './group-sums.ts';
import type { LaneItem, LaneOptions, LaneResult, LostTail } from './store.ts';

type EpochRow = { n: number; instance: string | null; up_to: number; max_seen: number };
type OpenEpoch = EpochRow & { moved: boolean };

const sql = {
  station: 'SELECT n FROM station WHERE id = ? AND removed_ms IS NULL',
  epoch: 'SELECT n, instance, up_to, max_seen FROM epoch WHERE station = ? AND id = ?',
  insertEpoch: 'INSERT INTO epoch (station, id, instance) VALUES (?, ?, ?)',
  helloEpoch: 'UPDATE epoch SET instance = coalesce(instance, ?), known_last = max(known_last, ?) WHERE n = ?',
  anyOfInstance: 'SELECT 1 FROM epoch WHERE station = ? AND instance = ? LIMIT 1',
  unfinished: `SELECT id, known_last FROM epoch
               WHERE station = ? AND instance IS NOT ? AND known_last > up_to ORDER BY n DESC LIMIT ?`,
  moveEpoch: 'UPDATE epoch SET up_to = ?, max_seen = ?, known_last = max(known_last, ?) WHERE n = ?',
  // The key alone decides what is a duplicate: `changes` tells whether the row is new.
  insertEvent:
    'INSERT INTO event (epoch, seq, at, kind, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (epoch, seq) DO NOTHING',
  storedEvent: 'SELECT kind, body FROM event WHERE epoch = ? AND seq = ?',
  anyEvent: 'SELECT 1 FROM event WHERE epoch = ? AND seq BETWEEN ? AND ? LIMIT 1',
  anyGap: 'SELECT 1 FROM gap WHERE epoch = ? AND to_seq >= ? AND from_seq <= ? LIMIT 1',
  insertGap: 'INSERT INTO gap (epoch, from_seq, to_seq, at, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  storedBetween: "SELECT body FROM event WHERE epoch = ? AND seq > ? AND seq <= ? AND kind <> 'poison' ORDER BY seq",
  stretches: `SELECT seq AS first, seq AS last FROM event WHERE epoch = $epoch AND seq > $upTo
              UNION ALL SELECT from_seq, to_seq FROM gap WHERE epoch = $epoch AND to_seq > $upTo ORDER BY 1`,
  quarantined: 'SELECT count(*) AS n FROM quarantine WHERE station = ?',
  quarantine: 'INSERT INTO quarantine (station, epoch, seq, received_ms, reason, bytes) VALUES (?, ?, ?, ?, ?, ?)',
} as const;

/** Longest quarantined text, characters; an event is shorter, a hostile one need not be. */
const maxQuarantineChars = 4096;
/** Tails of lost epochs that are named, the newest first. */
const maxTails = 20;

type Tally = { stored: number; duplicates: number; poison: number; conflicts: number; usedAt: number | null };

/**
 * One group of the durable lane, inside one transaction of its owner. The rules are the core's
 * (sequence, rollup); this is their SQL. What rows share is read once and written once a group: a
 * station that sends a hundred events touches its epoch and its hour's sums once.
 */
export class LaneGroup {
  readonly #prepare: (text: string) => Database.Statement;
  readonly #options: LaneOptions;
  readonly #sums: GroupSums;
  readonly #stations = new Map<string, number | null>();
  readonly #epochs = new Map<string, OpenEpoch>();

  constructor(prepare: (text: string) => Database.Statement, options: LaneOptions) {
    this.#prepare = prepare;
    this.#options = options;
    this.#sums = new GroupSums(prepare);
  }

  take(item: LaneItem): LaneResult {
    const station = this.#station(item.station);
    if (station === null) return { kind: 'unknown-station' };
    switch (item.kind) {
      case 'hello':
        return this.#hello(station, item);
      case 'batch':
        return this.#batch(station, item);
      case 'epoch-seen': {
        const { n, instance } = this.#epoch(station, item.epoch, null);
        return { kind: 'epoch-seen', order: n, instance };
      }
    }
  }

  /** Writes what the group added up to. */
  finish(): void {
    for (const { n, up_to, max_seen, moved } of this.#epochs.values()) {
      if (moved) this.#prepare(sql.moveEpoch).run(up_to, max_seen, max_seen, n);
    }
    this.#sums.finish();
  }

  #hello(station: number, { instance, epochs: said }: Extract<LaneItem, { kind: 'hello' }>): LaneResult {
    const tails = this.#lostTails(station, instance, new Set(said.map(({ id }) => id)));
    let ackedAhead = false;
    const epochs = said.map(({ id, last, acked }, index) => {
      const epoch = this.#epoch(station, id, instance);
      epoch.instance ??= instance;
      this.#prepare(sql.helloEpoch).run(instance, last, epoch.n);
      ackedAhead ||= acked > epoch.up_to;
      const over = index < said.length - 1 && epoch.up_to >= last;
      if (over) this.#sums.forget(epoch.n);
      return { id, order: epoch.n, instance: epoch.instance, upTo: epoch.up_to };
    });
    return { kind: 'hello', epochs, tails, ackedAhead };
  }

  /** A new instance: the log before it is gone, with what was known of it and never came. */
  #lostTails(station: number, instance: string, said: ReadonlySet<string>): LostTail[] {
    if (this.#get(sql.anyOfInstance, station, instance)) return [];
    const rows = this.#prepare(sql.unfinished).all(station, instance, maxTails) as { id: string; known_last: number }[];
    return rows
      .filter(({ id }) => !said.has(id))
      .map(({ id, known_last }) => ({ epoch: id, missing: known_last - this.#epoch(station, id, null).up_to }))
      .filter(({ missing }) => missing > 0);
  }

  #batch(station: number, { epoch: epochId, events }: Extract<LaneItem, { kind: 'batch' }>): LaneResult {
    const epoch = this.#epoch(station, epochId, null);
    const position = { upTo: epoch.up_to, maxSeen: epoch.max_seen };
    const { take, tooFarAhead } = placeBatch(position, events, this.#options.aheadWindow);
    const tally: Tally = { stored: 0, duplicates: 0, poison: 0, conflicts: 0, usedAt: null };
    const first = take[0]?.first ?? 0;
    const last = take.at(-1)?.last ?? 0;
    // Nothing stored ahead and no hole before the batch: its end is the answer, without a look.
    const inOrder = epoch.max_seen <= epoch.up_to && first <= epoch.up_to + 1;
    for (const sequenced of take) this.#store(station, epoch, sequenced, inOrder, tally);
    const upTo = inOrder ? Math.max(epoch.up_to, last) : this.#reach(epoch);
    if (!inOrder) this.#standBetween(station, epoch, upTo);
    const maxSeen = Math.max(epoch.max_seen, last);
    epoch.moved ||= upTo !== epoch.up_to || maxSeen !== epoch.max_seen;
    epoch.up_to = upTo;
    epoch.max_seen = maxSeen;
    return { kind: 'batch', upTo, tooFarAhead, ...tally };
  }

  #reach(epoch: OpenEpoch): number {
    const stretches = this.#prepare(sql.stretches).iterate({ epoch: epoch.n, upTo: epoch.up_to });
    return advance(epoch.up_to, stretches as IterableIterator<Stretch>);
  }

  /** What was stored ahead of a hole is in its order only now that the hole is filled. */
  #standBetween(station: number, epoch: OpenEpoch, upTo: number): void {
    const rows = this.#prepare(sql.storedBetween).all(epoch.n, epoch.up_to, upTo) as { body: string }[];
    for (const { body } of rows) this.#sums.stand(station, epoch.n, JSON.parse(body) as StationEvent);
  }

  #store(station: number, epoch: EpochRow, sequenced: SequencedEvent, inOrder: boolean, tally: Tally): void {
    const { first, json } = sequenced;
    if (!sequenced.valid) {
      const poison = this.#prepare(sql.insertEvent).run(epoch.n, first, this.#options.nowMs, 'poison', '');
      if (poison.changes === 0) return this.#duplicate(station, epoch.n, first, json, tally);
      this.#quarantine(station, epoch.n, first, sequenced.reason, json);
      tally.poison += 1;
      return;
    }
    const { event } = sequenced;
    if (event.kind === 'gap') return this.#storeGap(station, epoch, event, json, tally);
    if (this.#prepare(sql.insertEvent).run(epoch.n, first, event.at, event.kind, json).changes === 0) {
      return this.#duplicate(station, epoch.n, first, json, tally);
    }
    tally.stored += 1;
    if (isUse(event)) tally.usedAt = Math.max(tally.usedAt ?? 0, event.at);
    // A receipt that stands for it has given its sums already.
    const declaredLost = first <= epoch.max_seen && this.#get(sql.anyGap, epoch.n, first, first) !== undefined;
    if (!declaredLost) this.#sums.count(station, event);
    if (inOrder && first > epoch.up_to) this.#sums.stand(station, epoch.n, event);
  }

  #storeGap(station: number, epoch: EpochRow, gap: GapEvent, json: string, tally: Tally): void {
    const beyond = gap.from > epoch.max_seen && gap.from > epoch.up_to;
    const partlyKnown =
      !beyond &&
      (this.#get(sql.anyEvent, epoch.n, gap.from, gap.to) ?? this.#get(sql.anyGap, epoch.n, gap.from, gap.to)) !==
        undefined;
    const fresh = this.#prepare(sql.insertGap).run(epoch.n, gap.from, gap.to, gap.at, json).changes === 1;
    // A receipt that grew holds sums that were added before: nothing is ever added twice.
    if (fresh && !partlyKnown) this.#sums.count(station, gap);
    tally[fresh ? 'stored' : 'duplicates'] += 1;
  }

  /** The same key with other bytes is no duplicate but a station that lost its order. */
  #duplicate(station: number, epoch: number, seq: number, json: string, tally: Tally): void {
    const stored = this.#get<{ kind: string; body: string }>(sql.storedEvent, epoch, seq);
    if (!stored || stored.kind === 'poison' || stored.body === json) {
      tally.duplicates += 1;
      return;
    }
    tally.conflicts += 1;
    this.#quarantine(station, epoch, seq, 'another event has this sequence', json);
  }

  #quarantine(station: number, epoch: number, seq: number, reason: string, json: string): void {
    const known = this.#get<{ n: number }>(sql.quarantined, station)?.n ?? 0;
    if (known >= this.#options.maxQuarantinePerStation) return;
    this.#prepare(sql.quarantine).run(
      station,
      epoch,
      seq,
      this.#options.nowMs,
      reason,
      json.slice(0, maxQuarantineChars),
    );
  }

  #station(id: string): number | null {
    const known = this.#stations.get(id);
    if (known !== undefined) return known;
    const n = this.#get<{ n: number }>(sql.station, id)?.n ?? null;
    this.#stations.set(id, n);
    return n;
  }

  #epoch(station: number, id: string, instance: string | null): OpenEpoch {
    const key = `${station}/${id}`;
    const open = this.#epochs.get(key) ?? { ...this.#readEpoch(station, id, instance), moved: false };
    this.#epochs.set(key, open);
    return open;
  }

  #readEpoch(station: number, id: string, instance: string | null): EpochRow {
    const known = this.#get<EpochRow>(sql.epoch, station, id);
    if (known) return known;
    const n = Number(this.#prepare(sql.insertEpoch).run(station, id, instance).lastInsertRowid);
    return { n, instance, up_to: 0, max_seen: 0 };
  }

  #get<Row>(text: string, ...parameters: unknown[]): Row | undefined {
    return this.#prepare(text).get(...parameters) as Row | undefined;
  }
}

/** Someone was there: coarse evidence that the station really opens. */
function isUse(event: StationEvent): boolean {
  return (event.kind === 'people' && event.in > 0) || (event.kind === 'door' && event.open);
}
