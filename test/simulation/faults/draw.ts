import type { Random } from '../../../simulator/core/random.ts';
import type { Fault, FaultKind } from './fault.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const longestOffMs = 30 * minuteMs;

/** How often each fault comes, against the others. */
const weights: Readonly<Record<FaultKind, number>> = {
  'power-cut': 6,
  'agent-crash': 6,
  'agent-stop': 2,
  'agent-reload': 1,
  'agent-stall': 1,
  'cloud-power-cut': 3,
  'cloud-crash': 4,
  'cloud-stop': 1,
  'cloud-stall': 1,
  'link-cut': 5,
  'half-open': 4,
  'slow-link': 2,
  'broker-restart': 3,
  'broker-loses': 3,
  'broker-doubles': 2,
  'broker-holds': 2,
  'wall-jump': 3,
  'outbox-lost': 1,
  'outbox-corrupt': 1,
  'outbox-truncated': 1,
  'outbox-restored': 1,
  'lying-card': 2,
  'cloud-restored': 2,
  clone: 1,
  'disk-full': 2,
  'io-error': 2,
  'noisy-wire': 4,
  unplug: 3,
  'board-restart': 3,
  command: 2,
};

export const faultKinds = Object.keys(weights) as FaultKind[];

export type DrawOptions = {
  stations: number;
  /** Faults begin after this and end before that, ms. */
  fromMs: number;
  untilMs: number;
  /** On average, for each station and hour. */
  perStationHour: number;
  /** Others do not come. */
  kinds: readonly FaultKind[];
};

/** Draws what goes wrong, in the order of time. */
export function drawFaults(options: DrawOptions, random: Random): Fault[] {
  const { stations, fromMs, untilMs, perStationHour, kinds } = options;
  const faults: Fault[] = [];
  const meanMs = hourMs / (perStationHour * stations);
  for (let atMs = fromMs + random.exponential(meanMs); atMs < untilMs; atMs += random.exponential(meanMs))
    faults.push(within(drawFault(Math.round(atMs), pick(kinds, random), stations, random), untilMs));
  return faults;
}

/** A machine that is off for ever makes no progress, and an image is put back while faults still happen. */
function within(fault: Fault, untilMs: number): Fault {
  const off = 'offMs' in fault ? { offMs: Math.min(fault.offMs, longestOffMs) } : {};
  const age = 'ageMs' in fault ? { ageMs: Math.min(fault.ageMs, untilMs - fault.atMs) } : {};
  return { ...fault, ...off, ...age };
}

function pick(kinds: readonly FaultKind[], random: Random): FaultKind {
  let left = random.next() * kinds.reduce((sum, kind) => sum + weights[kind], 0);
  for (const kind of kinds) {
    left -= weights[kind];
    if (left < 0) return kind;
  }
  return kinds[0] ?? 'link-cut';
}

function drawFault(atMs: number, kind: FaultKind, stations: number, random: Random): Fault {
  const station = random.int(stations);
  /** Mostly short, sometimes long. */
  const span = (median: number): number => Math.round(random.logNormal(median, 1));
  const host = (): number | 'cloud' => (random.chance(0.2) ? 'cloud' : station);
  const oneOf = <T>(...choices: readonly [T, ...T[]]): T => choices[random.int(choices.length)] ?? choices[0];
  switch (kind) {
    case 'power-cut':
      return {
        atMs,
        kind,
        station,
        offMs: span(2 * minuteMs),
        wall: oneOf('right', 'year-1970', 'year-2013', 'year-2040'),
      };
    case 'agent-crash':
      return { atMs, kind, station, acts: random.int(60) };
    case 'agent-stop':
    case 'agent-reload':
    case 'board-restart':
    case 'command':
      return { atMs, kind, station };
    case 'agent-stall':
      return { atMs, kind, station, forMs: span(minuteMs) };
    case 'cloud-power-cut':
      return { atMs, kind, offMs: span(minuteMs) };
    case 'cloud-crash':
      return { atMs, kind, acts: random.int(200) };
    case 'cloud-stop':
      return { atMs, kind };
    case 'cloud-stall':
      return { atMs, kind, forMs: span(20_000) };
    case 'link-cut':
      return { atMs, kind, station: host(), forMs: span(5 * minuteMs) };
    case 'half-open':
      return { atMs, kind, station: host(), way: oneOf('up', 'down', 'both'), forMs: span(2 * minuteMs) };
    case 'slow-link':
      return { atMs, kind, station: host(), delayMs: span(3000), forMs: span(10 * minuteMs) };
    case 'broker-restart':
      return { atMs, kind, downMs: span(20_000), keepsRetained: random.chance(0.5) };
    case 'broker-loses':
    case 'broker-doubles':
    case 'broker-holds':
      return { atMs, kind, share: oneOf(0.05, 0.3, 0.8), forMs: span(5 * minuteMs) };
    case 'wall-jump':
      return { atMs, kind, station: host(), byMs: oneOf(-1, 1) * span(oneOf(hourMs, 24 * hourMs, 10_000 * hourMs)) };
    case 'outbox-lost':
    case 'outbox-corrupt':
    case 'outbox-truncated':
      return { atMs, kind, station, offMs: span(minuteMs), amount: random.next() };
    case 'outbox-restored':
      return { atMs, kind, station, offMs: span(minuteMs), ageMs: span(2 * hourMs) };
    case 'lying-card':
      return { atMs, kind, station, forMs: span(5 * minuteMs), offMs: span(minuteMs) };
    case 'cloud-restored':
      return { atMs, kind, offMs: span(minuteMs), ageMs: span(2 * hourMs) };
    case 'clone':
      return { atMs, kind, station, forMs: span(20 * minuteMs), fresh: random.chance(0.5) };
    case 'disk-full':
      return { atMs, kind, station: host(), forMs: span(30 * minuteMs), roomBytes: random.int(60_000) };
    case 'io-error':
      return { atMs, kind, station: host(), operations: random.int(40) };
    case 'noisy-wire':
      return {
        atMs,
        kind,
        station,
        garble: random.next() * 0.5,
        drop: random.next() * 0.5,
        forMs: span(20 * minuteMs),
      };
    case 'unplug':
      return { atMs, kind, station, forMs: span(3 * minuteMs), silently: random.chance(0.5) };
  }
}
