import type { StationState, Supply } from '../../protocol/state.ts';
import { type Freshness, freshnessChangesAt, freshnessOf } from './freshness.ts';
import { type DayOf, dayIn, type Opening } from './hours.ts';
import { type LastUse, type LiveRecord, slotOf, toldUse, useSlotMs } from './live.ts';
import type { StationRecord } from './station.ts';

export type AvailabilityWord = 'open' | 'full' | 'closed_hours' | 'closed_fault' | 'unknown' | 'removed';
export type FeatureKind = 'seat' | 'port' | 'water_hot' | 'water_cold';
export type Level = 'quiet' | 'some' | 'busy';
export type LastUsed = 'within_hour' | 'today' | 'earlier';

/** One thing that people come for. What is not known is null, never 0. */
export type Feature = {
  kind: FeatureKind;
  total: number | null;
  free: number | null;
  /** `free` is a lower bound: the exact number would tell how many are inside. */
  at_least?: true;
  in_use: number | null;
  faulty: number | null;
  unknown: number | null;
  temp_c?: number | null;
  /** What `free` was before the station fell silent, and the time of that report. */
  last_known?: { free: number; at_least?: true; at: string };
};

/** A station as the public sees it. Times are RFC 3339, UTC. */
export type PublicStatus = {
  id: string;
  state: AvailabilityWord;
  /** Null for a station without sensors and for one that never reported. */
  freshness: Freshness | null;
  last_reported: string | null;
  last_changed: string | null;
  report_interval_s: number | null;
  level: Level | null;
  last_used: LastUsed | null;
  features: Feature[];
};

export type Evaluation = {
  status: PublicStatus;
  /** When it has to be evaluated again although nothing new comes; null: never. */
  changesAt: number | null;
};

/** At this many people public data begins to tell them apart (README, "Privacy"). */
const quietUpTo = 2;
const seatCap = 3;
/** Two slots that are over and the one that runs: never more than an hour. */
const slotsOfAnHour = 2;

/**
 * The public status of one station at `nowMs`. Pure: opening hours, freshness by the cloud's clock,
 * and the rule that public data never tells an empty station from one with a single person.
 *
 * @param dayOf of the station's zone, where the caller has it already
 */
export function evaluate(
  record: StationRecord,
  live: LiveRecord | null,
  opening: Opening,
  nowMs: number,
  dayOf: DayOf = dayIn(record.timeZone),
): Evaluation {
  if (record.removedAt !== null)
    return { status: { ...blank(record, 'removed'), last_changed: iso(record.removedAt) }, changesAt: null };
  if (!live) return { status: { ...blank(record, unreported(record, opening)) }, changesAt: opening.changesAt };
  const { state, beatAt } = live;
  const freshness = freshnessOf(beatAt, state.reportIntervalS, nowMs);
  const heard = freshness === 'live' || freshness === 'late';
  const features = featuresOf(record, state).map((feature) => (heard ? feature : silenced(feature, beatAt)));
  const status: PublicStatus = {
    id: record.id,
    state: wordOf(record, state, opening, heard),
    freshness,
    last_reported: iso(beatAt),
    last_changed: iso(live.changedAt),
    report_interval_s: state.reportIntervalS,
    level: heard ? levelOf(record, state) : null,
    last_used: lastUsedOf(live.use, dayOf, nowMs),
    features,
  };
  const edges = [
    opening.changesAt,
    freshnessChangesAt(beatAt, state.reportIntervalS, nowMs),
    live.use.at === null ? null : slotOf(nowMs) + useSlotMs,
  ];
  const ahead = edges.filter((at) => at !== null);
  return { status, changesAt: ahead.length === 0 ? null : Math.min(...ahead) };
}

/** Whether two statuses differ in more than when they were reported. */
export function isPublicChange(before: PublicStatus, after: PublicStatus): boolean {
  const values = ({ state, level, features }: PublicStatus): string =>
    JSON.stringify([state, level, features.map(({ last_known: _past, ...now }) => now)]);
  return values(before) !== values(after);
}

function blank(record: StationRecord, state: AvailabilityWord): PublicStatus {
  return {
    id: record.id,
    state,
    freshness: null,
    last_reported: null,
    last_changed: null,
    report_interval_s: null,
    level: null,
    last_used: null,
    features: [],
  };
}

/** A station without sensors is what its opening hours say; one with sensors is unknown until it speaks. */
function unreported(record: StationRecord, opening: Opening): AvailabilityWord {
  if (!opening.open) return 'closed_hours';
  return record.kind === 'lite' ? 'open' : 'unknown';
}

function wordOf(record: StationRecord, state: StationState, opening: Opening, heard: boolean): AvailabilityWord {
  if (!opening.open) return 'closed_hours';
  if (!heard || nothingKnown(state)) return 'unknown';
  if (isShut(state)) return 'closed_fault';
  return isFull(record, state) ? 'full' : 'open';
}

function nothingKnown(state: StationState): boolean {
  return !Object.values(state.sensors).some((sensor) => sensor.health === 'ok' || sensor.health === 'fault');
}

/** Locked in its opening hours, or not safe: whoever comes now stands before a shut door. */
function isShut({ door, env }: StationState): boolean {
  const locked = door !== 'unknown' && door.locked === true && !door.open;
  const unsafe = env !== undefined && env !== 'unknown' && (env.smoke === true || env.flood === true);
  return locked || unsafe;
}

function seatsOf(record: StationRecord, state: StationState): number | null {
  return record.capacity ?? state.capacity ?? null;
}

/** With a single seat, full would mean one person: then it is not said. */
function isFull(record: StationRecord, state: StationState): boolean {
  const seats = seatsOf(record, state);
  return seats !== null && seats >= 2 && state.people !== 'unknown' && state.people.inside >= seats;
}

function featuresOf(record: StationRecord, state: StationState): Feature[] {
  const features: Feature[] = [];
  const seats = seatsOf(record, state);
  if (seats !== null) features.push(seatFeature(seats, state));
  if (state.ports.length > 0) features.push(portFeature(state));
  if (state.water.length > 0) {
    features.push(
      waterFeature(
        'water_hot',
        state,
        (water) => water.hot,
        (water) => water.hotC,
      ),
    );
    if (state.water.some((water) => water.cold !== 'unknown')) {
      features.push(
        waterFeature(
          'water_cold',
          state,
          (water) => water.cold,
          (water) => water.coldC,
        ),
      );
    }
  }
  return features;
}

/** Nobody and one person look the same: the first one inside takes no public seat away. */
function seatFeature(seats: number, { people }: StationState): Feature {
  const none = { kind: 'seat' as const, total: seats, in_use: null, faulty: null };
  if (people === 'unknown' || seats < 2) return { ...none, free: null, unknown: people === 'unknown' ? seats : null };
  const free = Math.max(0, seats - Math.max(1, people.inside));
  return free >= seatCap ? { ...none, free: seatCap, at_least: true, unknown: null } : { ...none, free, unknown: null };
}

function portFeature({ ports }: StationState): Feature {
  const count = (...words: string[]): number => ports.filter((port) => words.includes(port.state)).length;
  const total = ports.length;
  const unknown = count('unknown');
  if (unknown === total) return { kind: 'port', total, free: null, in_use: null, faulty: null, unknown };
  return {
    kind: 'port',
    total,
    free: count('free'),
    in_use: count('charging', 'full'),
    faulty: count('fault'),
    unknown,
  };
}

type Water = StationState['water'][number];

function waterFeature(
  kind: FeatureKind,
  { water }: StationState,
  supply: (water: Water) => Supply,
  celsius: (water: Water) => number | null,
): Feature {
  const count = (word: Supply): number => water.filter((one) => supply(one) === word).length;
  const unknown = count('unknown');
  const temps = water.filter((one) => supply(one) === 'available').flatMap((one) => celsius(one) ?? []);
  const known = unknown < water.length;
  return {
    kind,
    total: water.length,
    free: known ? count('available') : null,
    in_use: null,
    faulty: known ? count('unavailable') : null,
    unknown,
    temp_c: temps.length === 0 ? null : Math.round(Math.max(...temps)),
  };
}

/** Not heard for too long: nothing is offered any more, what was moves aside with its time. */
function silenced(feature: Feature, reportedAt: number): Feature {
  const { at_least, free, ...rest } = feature;
  const bound = at_least ? { at_least } : {};
  const past = free === null ? {} : { last_known: { free, ...bound, at: iso(reportedAt) } };
  const temp = 'temp_c' in rest ? { temp_c: null } : {};
  return { ...rest, ...temp, free: null, in_use: null, faulty: null, unknown: feature.total, ...past };
}

function levelOf(record: StationRecord, state: StationState): Level | null {
  if (state.people === 'unknown') return null;
  const { inside } = state.people;
  if (inside <= quietUpTo) return 'quiet';
  const seats = seatsOf(record, state);
  return seats !== null && inside >= seats / 2 ? 'busy' : 'some';
}

/** By slots that are over: it never turns at the minute in which someone comes in. */
function lastUsedOf(use: LastUse, dayOf: DayOf, nowMs: number): LastUsed | null {
  const at = toldUse(use, nowMs);
  if (at === null) return null;
  if (slotOf(nowMs) - slotOf(at) <= slotsOfAnHour * useSlotMs) return 'within_hour';
  return dayOf(at) === dayOf(nowMs) ? 'today' : 'earlier';
}

export function iso(at: number): string {
  return new Date(Math.floor(at / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
