import type { GapEvent, StationEvent } from '../../protocol/events.ts';
import { type CountedField, countedFields, type LedgerEntry } from '../ledger/ledger.ts';
import { misplacedVisits } from './visits.ts';

const hourMs = 3_600_000;

export type StoredEvent = { epoch: string; seq: number; hash: string; event: StationEvent };

/** How far the cloud says that it has an epoch, or that the station has it; whichever is more. */
export type StoredEpoch = { epoch: string; last: number };

/** What the cloud has of one station. */
export type StoredStation = {
  epochs: readonly StoredEpoch[];
  events: readonly StoredEvent[];
  gaps: readonly { epoch: string; gap: GapEvent }[];
  quarantined: number;
  /** Keys (`epoch/seq`) of events that are in quarantine. */
  poison: readonly string[];
  /** Sums by the Unix time at which their hour begins. */
  rollups: readonly ({ hour: number } & Readonly<Record<CountedField, number>>)[];
};

export type Tolerance = {
  /** A visit may be told this long before the ledger wrote it, ms: two clocks of one machine. */
  earlyMs: number;
  /** And this long after: lost lines and cut wires make a board tell it later. */
  lateMs: number;
};

type Amounts = Record<CountedField | 'events', number>;

export type Verdict = {
  /** True and not in the cloud, nor declared lost by a receipt; events also where a sequence is missing. */
  lost: Amounts;
  /** In the cloud more often than it happened. */
  doubled: Amounts;
  /** Visits at another time than they happened, events under another key than they were sent. */
  misplaced: number;
  /** Events with other bytes than were sent. */
  altered: number;
  /** Events that nobody sent. */
  phantom: number;
  /** Sums of an hour that differ from those of its events. */
  wrongRollups: number;
  declaredLost: number;
  quarantined: number;
  untold: number;
  events: number;
};

export function emptyVerdict(): Verdict {
  return {
    lost: noAmounts(),
    doubled: noAmounts(),
    misplaced: 0,
    altered: 0,
    phantom: 0,
    wrongRollups: 0,
    declaredLost: 0,
    quarantined: 0,
    untold: 0,
    events: 0,
  };
}

/** Holds the cloud against the truth of one station. */
export function compareStation(truth: readonly LedgerEntry[], stored: StoredStation, tolerance: Tolerance): Verdict {
  const verdict = emptyVerdict();
  verdict.events = stored.events.length;
  verdict.quarantined = stored.quarantined;
  verdict.declaredLost = stored.gaps.reduce((sum, { gap }) => sum + gap.to - gap.from + 1, 0);
  compareSums(truth, stored, verdict);
  compareKeys(truth, stored, verdict);
  verdict.misplaced += misplacedVisits(truth, stored.events, verdict.doubled.in, tolerance);
  return verdict;
}

/** Whether nothing is lost, doubled, altered or in the wrong place. */
export function isClean({ lost, doubled, misplaced, altered, phantom, wrongRollups, quarantined }: Verdict): boolean {
  const amounts = [
    ...Object.values(lost),
    ...Object.values(doubled),
    misplaced,
    altered,
    phantom,
    wrongRollups,
    quarantined,
  ];
  return amounts.every((amount) => amount === 0);
}

/** Adds one station's verdict to another's. */
export function addVerdict(sum: Verdict, one: Verdict): void {
  for (const field of [...countedFields, 'events'] as const) {
    sum.lost[field] += one.lost[field];
    sum.doubled[field] += one.doubled[field];
  }
  for (const name of [
    'misplaced',
    'altered',
    'phantom',
    'wrongRollups',
    'declaredLost',
    'quarantined',
    'untold',
    'events',
  ] as const)
    sum[name] += one[name];
}

function compareSums(truth: readonly LedgerEntry[], stored: StoredStation, verdict: Verdict): void {
  const happened = new Map<string, number>();
  for (const entry of truth) {
    if (entry.kind !== 'count' && entry.kind !== 'untold') continue;
    if (entry.kind === 'untold') verdict.untold += entry.by;
    bump(happened, entry.sensor, entry.field, entry.kind === 'count' ? entry.by : -entry.by);
  }
  const told = toldSums(stored);
  const counted = truth.some((entry) => entry.kind === 'count');
  for (const key of new Set([...happened.keys(), ...(counted ? told.keys() : [])])) {
    const field = key.split(' ')[1] as CountedField;
    const difference = (told.get(key) ?? 0) - (happened.get(key) ?? 0);
    if (difference < 0) verdict.lost[field] -= difference;
    else verdict.doubled[field] += difference;
  }
  verdict.wrongRollups = wrongRollups(stored);
}

type Told = { sensor: string; at: number; sums: { readonly [field in CountedField]?: number | undefined } };

/** What events count, and what receipts say that lost ones had counted. */
function toldCounts({ events, gaps }: StoredStation): Told[] {
  const told: Told[] = [];
  for (const { event } of events) {
    const { sensor, at } = event;
    if (event.kind === 'people') told.push({ sensor, at, sums: { in: event.in, out: event.out } });
    if (event.kind === 'water') told.push({ sensor, at, sums: { ml: event.ml } });
    if (event.kind === 'port') told.push({ sensor, at, sums: { mwh: event.mwh } });
    if (event.kind === 'sos') told.push({ sensor, at, sums: { presses: event.presses } });
  }
  for (const { gap } of gaps)
    for (const [sensor, sums] of Object.entries(gap.lost ?? {})) told.push({ sensor, at: gap.at, sums });
  return told;
}

/** Sums by sensor and field. */
function toldSums(stored: StoredStation): Map<string, number> {
  const told = new Map<string, number>();
  for (const { sensor, sums } of toldCounts(stored))
    for (const field of countedFields) bump(told, sensor, field, sums[field] ?? 0);
  return told;
}

function wrongRollups(stored: StoredStation): number {
  const told = new Map<string, number>();
  for (const { at, sums } of toldCounts(stored)) {
    const hour = String(Math.floor(at / hourMs) * hourMs);
    for (const field of countedFields) bump(told, hour, field, sums[field] ?? 0);
  }
  const rolledUp = new Map<string, number>();
  for (const { hour, ...sums } of stored.rollups)
    for (const field of countedFields) bump(rolledUp, String(hour), field, sums[field]);
  return [...new Set([...told.keys(), ...rolledUp.keys()])].filter((key) => told.get(key) !== rolledUp.get(key)).length;
}

/**
 * Event by event: every sequence of every epoch is there or declared, and where the ledger knows
 * every event that was sent, each is under its own key, once, with its own bytes.
 */
function compareKeys(truth: readonly LedgerEntry[], stored: StoredStation, verdict: Verdict): void {
  const sent = new Map<string, string>();
  for (const entry of truth) if (entry.kind === 'event') sent.set(`${entry.epoch}/${entry.seq}`, entry.hash);
  const found = new Map(stored.events.map(({ epoch, seq, hash }) => [`${epoch}/${seq}`, hash]));
  const missing = missingKeys([...sent.keys()], stored, found);
  const astray = new Map<string, number>();
  for (const key of missing) {
    const hash = sent.get(key);
    if (hash !== undefined) astray.set(hash, (astray.get(hash) ?? 0) + 1);
  }
  verdict.lost.events += missing.size;
  if (sent.size === 0) return;
  const known = new Set(sent.values());
  for (const [key, hash] of found) {
    const expected = sent.get(key);
    if (expected === hash) continue;
    const lookedFor = astray.get(hash) ?? 0;
    if (expected !== undefined) verdict.altered += 1;
    else if (lookedFor > 0) {
      astray.set(hash, lookedFor - 1);
      verdict.lost.events -= 1;
      verdict.misplaced += 1;
    } else if (known.has(hash)) verdict.doubled.events += 1;
    else verdict.phantom += 1;
  }
}

/** Keys that were sent, or that lie within what an epoch is said to have, and are nowhere. */
function missingKeys(
  sent: readonly string[],
  stored: StoredStation,
  found: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const quarantined = new Set(stored.poison);
  const numbered = stored.epochs.flatMap(({ epoch, last }) =>
    Array.from({ length: last }, (_, index) => `${epoch}/${index + 1}`),
  );
  return new Set(
    [...sent, ...numbered].filter((key) => !found.has(key) && !quarantined.has(key) && !isDeclared(key, stored.gaps)),
  );
}

function isDeclared(key: string, gaps: StoredStation['gaps']): boolean {
  const [epoch = '', seq = ''] = key.split('/');
  return gaps.some(({ epoch: of, gap }) => of === epoch && gap.from <= Number(seq) && Number(seq) <= gap.to);
}

function bump(sums: Map<string, number>, sensor: string, field: CountedField, by: number): void {
  if (by === 0) return;
  const key = `${sensor} ${field}`;
  sums.set(key, (sums.get(key) ?? 0) + by);
}

function noAmounts(): Amounts {
  return { in: 0, out: 0, ml: 0, mwh: 0, presses: 0, events: 0 };
}
