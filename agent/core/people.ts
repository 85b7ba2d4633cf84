import type { EventBody, PeopleBasis } from '../../protocol/events.ts';
import { type Advanced, advance, type Counter, type CounterRun, freshCounter, hold, type Settle } from './counter.ts';
import type { PeopleReading } from './reading.ts';

export type PeopleConfig = {
  /** Nobody sensed for this long with the door shut: nobody is inside. */
  emptyAfterMs: number;
  /** Door shut and nothing counted for this long, where no presence sensor speaks: nobody is inside. */
  doorShutEmptyMs: number;
  /** The quiet-hour reset leaves the count alone when someone moved within this time. */
  quietIdleMs: number;
};

type PeopleSensor = { in: Counter; out: Counter; present: boolean | null; trusted: boolean };

/**
 * The station's one estimate of people inside, over all its people sensors. Counting drifts (two
 * pass the beam as one), so the estimate heals by presence, by the door and at the quiet hour, and
 * always says which of them it rests on. Visits are the `in` deltas alone and never heal.
 */
export type PeopleState = {
  inside: number | null;
  basis: PeopleBasis;
  sensors: Readonly<Record<string, PeopleSensor>>;
  /** Since when no presence sensor senses anyone; null while one does or none speaks. */
  absentSinceMs: number | null;
  lastMoveMs: number;
};

/** What must outlive the agent's process: counted visits stay counted. */
export type PeopleMemory = {
  inside: number | null;
  basis: PeopleBasis;
  counters: Record<string, { in: Counter; out: Counter }>;
};

export type DoorView = { open: boolean; sinceMs: number } | null;

type Step = { state: PeopleState; events: EventBody[] };

export function startPeople(memory: PeopleMemory | undefined, nowMs: number): PeopleState {
  const sensors = Object.entries(memory?.counters ?? {}).map(([sensor, counters]): [string, PeopleSensor] => [
    sensor,
    { ...counters, present: null, trusted: false },
  ]);
  const inside = memory?.inside ?? null;
  return {
    inside,
    basis: memory?.basis ?? 'counted',
    sensors: Object.fromEntries(sensors),
    absentSinceMs: null,
    lastMoveMs: nowMs,
  };
}

export function peopleMemory(state: PeopleState): PeopleMemory {
  const counters = Object.entries(state.sensors).map(
    ([sensor, { in: i, out }]): [string, { in: Counter; out: Counter }] => [sensor, { in: i, out }],
  );
  return { inside: state.inside, basis: state.basis, counters: Object.fromEntries(counters) };
}

/** @param run null while the board may have restarted unseen: counts wait, presence does not */
export function peopleReading(
  state: PeopleState,
  reading: PeopleReading & { sensor: string },
  run: CounterRun | null,
  nowMs: number,
): Step {
  const before = state.sensors[reading.sensor] ?? {
    in: freshCounter,
    out: freshCounter,
    present: null,
    trusted: false,
  };
  const count = (counter: Counter, raw: number | undefined): Advanced => {
    if (raw === undefined) return { delta: 0, counter };
    return run ? advance(counter, raw, run, nowMs) : hold(counter, raw, nowMs);
  };
  const cameIn = count(before.in, reading.in);
  const wentOut = count(before.out, reading.out);
  const sensor = {
    in: cameIn.counter,
    out: wentOut.counter,
    present: reading.present ?? before.present,
    trusted: true,
  };
  const known = withPresence({ ...state, sensors: { ...state.sensors, [reading.sensor]: sensor } }, nowMs);
  const counts = run !== null && reading.in !== undefined;
  const began = state.inside === null && counts ? { ...known, inside: 0, basis: 'counted' as const } : known;
  return applyCounts(began, state, reading.sensor, cameIn.delta, wentOut.delta, nowMs);
}

/** The board of this sensor is known again: what it had said and not been believed yet is counted now. */
export function settlePeople(state: PeopleState, sensor: string, settle: Settle, nowMs: number): Step {
  const before = state.sensors[sensor];
  if (!before) return { state, events: [] };
  const cameIn = settle(before.in);
  const wentOut = settle(before.out);
  const settled = {
    ...state,
    sensors: { ...state.sensors, [sensor]: { ...before, in: cameIn.counter, out: wentOut.counter } },
  };
  if (cameIn.delta + wentOut.delta === 0) return { state: settled, events: [] };
  return applyCounts({ ...settled, inside: state.inside ?? 0 }, state, sensor, cameIn.delta, wentOut.delta, nowMs);
}

function applyCounts(
  state: PeopleState,
  before: PeopleState,
  sensor: string,
  cameIn: number,
  wentOut: number,
  nowMs: number,
): Step {
  const moved = cameIn > 0 || wentOut > 0;
  const raw = (state.inside ?? 0) + cameIn - wentOut;
  const floor = anyonePresent(state) ? 1 : 0;
  const inside = state.inside === null && floor === 0 ? null : Math.max(raw, floor);
  const basis = !moved && inside === before.inside ? state.basis : basisOf(raw, inside, floor);
  const next: PeopleState = { ...state, inside, basis, lastMoveMs: moved ? nowMs : state.lastMoveMs };
  const knownAgain = !peopleKnown(before) && peopleKnown(next);
  if (inside === null || (!moved && !knownAgain && inside === before.inside)) return { state: next, events: [] };
  return { state: next, events: [{ kind: 'people', sensor, in: cameIn, out: wentOut, inside, basis }] };
}

function basisOf(raw: number, inside: number | null, floor: number): PeopleBasis {
  if (inside === raw) return 'counted';
  return floor > 0 ? 'presence' : 'floor';
}

/** Heals the estimate where presence or the door prove that nobody is inside. */
export function peopleTick(state: PeopleState, door: DoorView, nowMs: number, config: PeopleConfig): Step {
  if (state.inside === 0) return { state, events: [] };
  const shutForMs = door && !door.open ? nowMs - door.sinceMs : 0;
  const idleMs = nowMs - state.lastMoveMs;
  if (state.absentSinceMs !== null) {
    const absentMs = Math.min(nowMs - state.absentSinceMs, idleMs);
    const doorAllows = door === null || !door.open;
    return absentMs >= config.emptyAfterMs && doorAllows ? emptied(state, 'presence') : { state, events: [] };
  }
  const shutForLong = Math.min(shutForMs, idleMs) >= config.doorShutEmptyMs;
  // A shut door tells that nobody came; who was there before it, only a count knows.
  if (state.inside === null || anyonePresent(state) || !shutForLong) return { state, events: [] };
  return emptied(state, 'door');
}

/** The quiet-hour reset: whoever is not seen, and did not move lately, is not there. */
export function peopleQuietHour(state: PeopleState, door: DoorView, nowMs: number, config: PeopleConfig): Step {
  const busy = anyonePresent(state) || door?.open === true || nowMs - state.lastMoveMs < config.quietIdleMs;
  if (busy || state.inside === null || state.inside === 0) return { state, events: [] };
  return emptied(state, 'quiet-hour');
}

/** A people sensor fell silent or noisy: what it sensed no longer stands. */
export function distrustPeople(state: PeopleState, sensor: string, nowMs: number): PeopleState {
  const known = state.sensors[sensor];
  if (!known) return state;
  return withPresence(
    { ...state, sensors: { ...state.sensors, [sensor]: { ...known, present: null, trusted: false } } },
    nowMs,
  );
}

/** Another board stands in for the one that counted: its first values are a baseline, not visits. */
export function rebasePeople(state: PeopleState, sensor: string): PeopleState {
  return withPeopleCounters(state, sensor, () => freshCounter);
}

export function withPeopleCounters(
  state: PeopleState,
  sensor: string,
  change: (counter: Counter) => Counter,
): PeopleState {
  const known = state.sensors[sensor];
  if (!known) return state;
  const changed = { ...known, in: change(known.in), out: change(known.out) };
  return { ...state, sensors: { ...state.sensors, [sensor]: changed } };
}

/** Known only while a sensor that is heard backs the estimate. */
export function peopleKnown(state: PeopleState): boolean {
  return state.inside !== null && Object.values(state.sensors).some((sensor) => sensor.trusted);
}

export function presenceOf(state: PeopleState): boolean | null {
  const spoken = Object.values(state.sensors).filter((sensor) => sensor.present !== null);
  return spoken.length === 0 ? null : spoken.some((sensor) => sensor.present === true);
}

function anyonePresent(state: PeopleState): boolean {
  return presenceOf(state) === true;
}

function withPresence(state: PeopleState, nowMs: number): PeopleState {
  const absent = presenceOf(state) === false;
  return { ...state, absentSinceMs: absent ? (state.absentSinceMs ?? nowMs) : null };
}

function emptied(state: PeopleState, basis: PeopleBasis): Step {
  const sensor = Object.keys(state.sensors)[0] ?? 'people';
  return {
    state: { ...state, inside: 0, basis },
    events: [{ kind: 'people', sensor, in: 0, out: 0, inside: 0, basis }],
  };
}
