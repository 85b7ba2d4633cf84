import type Database from 'better-sqlite3';
import type { SequencedEvent } from '../../protocol/codec.ts';
import type { GapEvent, StationEvent } from '../../protocol/events.ts';
import { endsEpoch, type Hours, integrate, noSums, rollUp, type Standing } from '../core/rollup.ts';
import { advance, placeBatch, type Stretch } from '../core/sequence.ts';
import type { LaneItem, LaneOptions, LaneResult } from './store.ts';

type EpochRow = { n: number; instance: string | null; up_to: number; max_seen: number };
type OpenEpoch = EpochRow & { moved: boolean };

const sql = {
  station: 'SELECT n FROM station WHERE id = ? AND removed_ms IS NULL',
  epoch: 'SELECT n, instance, up_to, max_seen FROM epoch WHERE station = ? AND id = ?',
  insertEpoch: 'INSERT INTO epoch (station, id, instance) VALUES (?, ?, ?)',
  helloEpoch: 'UPDATE epoch SET instance = coalesce(instance, ?), known_last = max(known_last, ?) WHERE n = ?',
  newest: 'SELECT max(n) AS n FROM epoch WHERE station = ?',
  moveEpoch: 'UPDATE epoch SET up_to = ?, max_seen = ?, known_last = max(known_last, ?) WHERE n = ?',
  // The key alone decides what is a duplicate: `changes` tells whether the row is new.
  insertEvent:
    'INSERT INTO event (epoch, seq, at, kind, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (epoch, seq) DO NOTHING',
  storedEvent: 'SELECT kind, body FROM event WHERE epoch = ? AND seq = ?',
  anyEvent: 'SELECT 1 FROM event WHERE epoch = ? AND seq BETWEEN ? AND ? LIMIT 1',
  anyGap: 'SELECT 1 FROM gap WHERE epoch = ? AND to_seq >= ? AND from_seq <= ? LIMIT 1',
  insertGap: 'INSERT INTO gap (epoch, from_seq, to_seq, at, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  stretches: `SELECT seq AS first, seq AS last FROM event WHERE epoch = $epoch AND seq > $upTo
              UNION ALL SELECT from_seq, to_seq FROM gap WHERE epoch = $epoch AND to_seq > $upTo ORDER BY 1`,
  quarantined: 'SELECT count(*) AS n FROM quarantine WHERE station = ?',
  quarantine: 'INSERT INTO quarantine (station, epoch, seq, received_ms, reason, bytes) VALUES (?, ?, ?, ?, ?, ?)',
  standing: 'SELECT kind, at, value FROM standing WHERE epoch = ? AND sensor = ?',
  standings: 'SELECT sensor, kind, at, value FROM standing WHERE epoch = ?',
  setStanding: `INSERT INTO standing (epoch, sensor, kind, at, value) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (epoch, sensor) DO UPDATE SET kind = excluded.kind, at = excluded.at, value = excluded.value`,
  endStanding: 'DELETE FROM standing WHERE epoch = ? AND sensor = ?',
  rollup: `INSERT INTO rollup (station, hour, visits, leaves, door_opens, ml, mwh, presses, inside_ms, people_ms, inside_peak, charging_ms, port_ms)
           VALUES (@station, @hour, @visits, @leaves, @doorOpens, @ml, @mwh, @presses, @insideMs, @peopleMs, @insidePeak, @chargingMs, @portMs)
           ON CONFLICT (station, hour) DO UPDATE SET
             visits = visits + excluded.visits, leaves = leaves + excluded.leaves, door_opens = door_opens + excluded.door_opens,
             ml = ml + excluded.ml, mwh = mwh + excluded.mwh, presses = presses + excluded.presses,
             inside_ms = inside_ms + excluded.inside_ms, people_ms = people_ms + excluded.people_ms,
             inside_peak = max(inside_peak, excluded.inside_peak),
             charging_ms = charging_ms + excluded.charging_ms, port_ms = port_ms + excluded.port_ms`,
} as const;

/** Longest quarantined text, characters; an event is shorter, a hostile one need not be. */
const maxQuarantineChars = 4096;

/**
 * One group of the durable lane, inside one transaction of its owner. The rules are the core's
 * (sequence, rollup); this is their SQL. What rows share is read once and written once a group: a
 * station that sends a hundred events touches its epoch and its hour's sums once.
 */
export class LaneGroup {
  readonly #prepare: (text: string) => Database.Statement;
  readonly #options: LaneOptions;
  readonly #hours = new Map<number, Hours>();
  readonly #stations = new Map<string, number | null>();
  readonly #epochs = new Map<string, OpenEpoch>();
  readonly #standings = new Map<string, { epoch: number; sensor: string; standing: Standing | null }>();

  constructor(prepare: (text: string) => Database.Statement, options: LaneOptions) {
    this.#prepare = prepare;
    this.#options = options;
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
    for (const [station, hours] of this.#hours) {
      for (const [hour, sums] of hours) this.#prepare(sql.rollup).run({ station, hour, ...noSums, ...sums });
    }
    for (const { epoch, sensor, standing } of this.#standings.values()) {
      if (standing) this.#prepare(sql.setStanding).run(epoch, sensor, standing.kind, standing.at, standing.value);
      else this.#prepare(sql.endStanding).run(epoch, sensor);
    }
  }

  #hello(station: number, hello: Extract<LaneItem, { kind: 'hello' }>): LaneResult {
    let ackedAhead = false;
    const epochs = hello.epochs.map(({ id, last, acked }) => {
      const epoch = this.#epoch(station, id, hello.instance);
      this.#prepare(sql.helloEpoch).run(hello.instance, last, epoch.n);
      ackedAhead ||= acked > epoch.up_to;
      return { id, order: epoch.n, instance: epoch.instance ?? hello.instance, upTo: epoch.up_to };
    });
    return { kind: 'hello', epochs, newestOrder: this.#get<{ n: number }>(sql.newest, station)?.n ?? 0, ackedAhead };
  }

  #batch(station: number, { epoch: epochId, events }: Extract<LaneItem, { kind: 'batch' }>): LaneResult {
    const epoch = this.#epoch(station, epochId, null);
    const position = { upTo: epoch.up_to, maxSeen: epoch.max_seen };
    const { take, tooFarAhead } = placeBatch(position, events, this.#options.aheadWindow);
    const tally = { stored: 0, duplicates: 0, poison: 0, conflicts: 0, usedAt: null as number | null };
    for (const sequenced of take) this.#store(station, epoch, sequenced, tally);
    const last = take.at(-1)?.last ?? 0;
    const upTo = this.#reach(epoch, take, last);
    const maxSeen = Math.max(epoch.max_seen, last);
    epoch.moved ||= upTo !== epoch.up_to || maxSeen !== epoch.max_seen;
    epoch.up_to = upTo;
    epoch.max_seen = maxSeen;
    return { kind: 'batch', upTo, tooFarAhead, ...tally };
  }

  /** Nothing stored ahead and no hole before the batch: its end is the answer, without a look. */
  #reach(epoch: OpenEpoch, take: readonly SequencedEvent[], last: number): number {
    const first = take[0]?.first;
    if (first === undefined) return epoch.up_to;
    if (epoch.max_seen <= epoch.up_to && first <= epoch.up_to + 1) return Math.max(epoch.up_to, last);
    const stretches = this.#prepare(sql.stretches).iterate({ epoch: epoch.n, upTo: epoch.up_to });
    return advance(epoch.up_to, stretches as IterableIterator<Stretch>);
  }

  #store(
    station: number,
    epoch: EpochRow,
    sequenced: SequencedEvent,
    tally: { stored: number; duplicates: number; poison: number; conflicts: number; usedAt: number | null },
  ): void {
    if (!sequenced.valid) {
      const fresh =
        this.#prepare(sql.insertEvent).run(epoch.n, sequenced.first, this.#options.nowMs, 'poison', '').changes === 1;
      if (fresh) this.#quarantine(station, epoch.n, sequenced.first, sequenced.reason, sequenced.json);
      tally[fresh ? 'poison' : 'duplicates'] += 1;
      return;
    }
    const { event, json, first } = sequenced;
    if (event.kind === 'gap') return this.#storeGap(station, epoch, event, json, tally);
    if (this.#prepare(sql.insertEvent).run(epoch.n, first, event.at, event.kind, json).changes === 0) {
      return this.#duplicate(station, epoch.n, first, json, tally);
    }
    tally.stored += 1;
    // A receipt that stands for it has given its sums already.
    const declaredLost = first <= epoch.up_to && this.#get(sql.anyGap, epoch.n, first, first) !== undefined;
    if (!declaredLost) this.#rollUp(station, epoch.n, event);
    if (isUse(event)) tally.usedAt = Math.max(tally.usedAt ?? 0, event.at);
  }

  #storeGap(
    station: number,
    epoch: EpochRow,
    gap: GapEvent,
    json: string,
    tally: { stored: number; duplicates: number },
  ): void {
    const beyond = gap.from > epoch.max_seen && gap.from > epoch.up_to;
    const partlyKnown =
      !beyond &&
      (this.#get(sql.anyEvent, epoch.n, gap.from, gap.to) ?? this.#get(sql.anyGap, epoch.n, gap.from, gap.to)) !==
        undefined;
    const fresh = this.#prepare(sql.insertGap).run(epoch.n, gap.from, gap.to, gap.at, json).changes === 1;
    // A receipt that grew holds sums that were added before: nothing is ever added twice.
    if (fresh && !partlyKnown) this.#rollUp(station, epoch.n, gap);
    tally[fresh ? 'stored' : 'duplicates'] += 1;
  }

  /** The same key with other bytes is no duplicate but a station that lost its order. */
  #duplicate(
    station: number,
    epoch: number,
    seq: number,
    json: string,
    tally: { duplicates: number; conflicts: number },
  ): void {
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

  #rollUp(station: number, epoch: number, event: StationEvent): void {
    const hours = this.#hours.get(station) ?? new Map();
    this.#hours.set(station, hours);
    if (endsEpoch(event)) return this.#endEpoch(epoch, event.at, hours);
    const before = this.#standing(epoch, event.sensor);
    const after = rollUp(event, before, hours);
    if (after !== before)
      this.#standings.set(`${epoch}/${event.sensor}`, { epoch, sensor: event.sensor, standing: after });
  }

  #endEpoch(epoch: number, at: number, hours: Hours): void {
    for (const { sensor } of this.#prepare(sql.standings).all(epoch) as { sensor: string }[])
      this.#standing(epoch, sensor);
    for (const known of this.#standings.values()) {
      if (known.epoch !== epoch || !known.standing) continue;
      integrate(known.standing, at, hours);
      known.standing = null;
    }
  }

  #standing(epoch: number, sensor: string): Standing | null {
    const key = `${epoch}/${sensor}`;
    const known = this.#standings.get(key);
    if (known) return known.standing;
    const standing = this.#get<Standing>(sql.standing, epoch, sensor) ?? null;
    if (standing) this.#standings.set(key, { epoch, sensor, standing });
    return standing;
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
