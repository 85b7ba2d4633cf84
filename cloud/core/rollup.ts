import type { LostSums, StationEvent } from '../../protocol/events.ts';

export const hourMs = 3_600_000;
/** Between two events further apart than this nothing is assumed. */
const longestStandingMs = 7 * 24 * hourMs;

/** What one hour of one station adds up to. Times in ms, energy in mWh, water in ml. */
export type HourSums = {
  visits: number;
  leaves: number;
  doorOpens: number;
  ml: number;
  mwh: number;
  presses: number;
  /** Σ people inside × ms, and the ms that it covers: mean = insideMs / peopleMs. */
  insideMs: number;
  peopleMs: number;
  insidePeak: number;
  /** Σ ms of every port that it charged, and the ms that ports were known at all. */
  chargingMs: number;
  portMs: number;
  /** Σ ms that dispensers were heard: an hour without water is a quiet one, not an unknown one. */
  waterMs: number;
};

export const noSums: HourSums = {
  visits: 0,
  leaves: 0,
  doorOpens: 0,
  ml: 0,
  mwh: 0,
  presses: 0,
  insideMs: 0,
  peopleMs: 0,
  insidePeak: 0,
  chargingMs: 0,
  portMs: 0,
  waterMs: 0,
};

/** What a hostile or broken board says never overflows what others are added up in. */
export const maxSum = Number.MAX_SAFE_INTEGER;

const sumNames = Object.keys(noSums) as (keyof HourSums)[];

/** What a sensor said last within its epoch, and since when it stands. */
export type Standing = { kind: 'people' | 'port' | 'water' | 'door'; at: number; value: number };

/** Sums by the start of their hour, Unix ms. */
export type Hours = Map<number, HourSums>;

/**
 * Adds what an event holds by itself to the sums of its hour, in whatever order events come. A gap
 * receipt adds what its range held.
 */
export function count(event: StationEvent, hours: Hours): void {
  switch (event.kind) {
    case 'people':
      return add(hours, event.at, { visits: event.in, leaves: event.out, insidePeak: event.inside });
    case 'port':
      return add(hours, event.at, { mwh: event.mwh });
    case 'water':
      return add(hours, event.at, { ml: event.ml });
    case 'sos':
      return add(hours, event.at, { presses: event.presses });
    case 'gap':
      for (const sums of Object.values(event.lost ?? {})) add(hours, event.at, lostToSums(sums));
      return;
    case 'door':
    case 'sensor':
    case 'env':
    case 'agent':
      return;
  }
}

/**
 * Adds what stood since the sensor's event before this one to the hours between, in the order of
 * the sequences. A sensor that fell silent, or an agent that stopped, ends what stands.
 *
 * @param standing of the same epoch and sensor; null where nothing stands
 * @returns what stands afterwards
 */
export function stand(event: StationEvent, standing: Standing | null, hours: Hours): Standing | null {
  if (standing && event.kind !== 'gap') integrate(standing, event.at, hours);
  switch (event.kind) {
    case 'people':
      return { kind: 'people', at: event.at, value: event.inside };
    case 'port':
      return { kind: 'port', at: event.at, value: event.state === 'charging' ? 1 : 0 };
    case 'door':
      add(hours, event.at, { doorOpens: event.open && standing?.value !== 1 ? 1 : 0 });
      return { kind: 'door', at: event.at, value: event.open ? 1 : 0 };
    case 'water':
      return { kind: 'water', at: event.at, value: 0 };
    case 'sos':
      return null;
    case 'gap':
      return standing;
    case 'sensor':
      return event.health === 'ok' || event.health === 'fault' ? moved(standing, event.at) : null;
    case 'env':
    case 'agent':
      return moved(standing, event.at);
  }
}

/** Adds what stands from its event until `untilMs`. */
export function integrate(standing: Standing, untilMs: number, hours: Hours): void {
  if (standing.kind === 'door' || untilMs <= standing.at || untilMs - standing.at > longestStandingMs) return;
  for (let from = standing.at; from < untilMs; ) {
    const hour = hourOf(from);
    const to = Math.min(untilMs, hour + hourMs);
    const lasted = to - from;
    add(hours, hour, lasting(standing, lasted));
    from = to;
  }
}

function lasting({ kind, value }: Standing, ms: number): Partial<HourSums> {
  switch (kind) {
    case 'people':
      return { insideMs: value * ms, peopleMs: ms, insidePeak: value };
    case 'port':
      return { chargingMs: value * ms, portMs: ms };
    case 'water':
      return { waterMs: ms };
    case 'door':
      return {};
  }
}

export function hourOf(at: number): number {
  return Math.floor(at / hourMs) * hourMs;
}

/** Adds `sums` to the hour of `at`; the peak is the higher one. A sum stays a number that a database can hold. */
export function add(hours: Hours, at: number, sums: Partial<HourSums>): void {
  const hour = hourOf(at);
  let known = hours.get(hour);
  if (!known) {
    known = { ...noSums };
    hours.set(hour, known);
  }
  for (const name of sumNames) {
    const amount = sums[name];
    if (amount === undefined) continue;
    known[name] = name === 'insidePeak' ? Math.max(known[name], amount) : Math.min(known[name] + amount, maxSum);
  }
}

function moved(standing: Standing | null, at: number): Standing | null {
  return standing && { ...standing, at: Math.max(standing.at, at) };
}

function lostToSums(sums: LostSums[string]): Partial<HourSums> {
  return {
    visits: sums.in ?? 0,
    leaves: sums.out ?? 0,
    ml: sums.ml ?? 0,
    mwh: sums.mwh ?? 0,
    presses: sums.presses ?? 0,
  };
}

/** The agent says that it stops: nothing of its epoch stands beyond this event. */
export function endsEpoch(event: StationEvent): boolean {
  return event.kind === 'agent' && event.what === 'stopped';
}
