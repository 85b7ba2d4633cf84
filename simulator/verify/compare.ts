import type { GapEvent, StationEvent } from '../../protocol/events.ts';
import { type CountedField, countedFields, type LedgerEntry } from '../ledger/ledger.ts';

export type StoredEvent = { epoch: string; seq: number; hash: string; event: StationEvent };

/** What the cloud has of one station. */
export type StoredStation = {
  events: readonly StoredEvent[];
  gaps: readonly { epoch: string; gap: GapEvent }[];
  quarantined: number;
  rollups: Readonly<Record<CountedField, number>>;
};

export type Tolerance = {
  /** A visit may be told this long before the ledger wrote it, ms: two clocks of one machine. */
  earlyMs: number;
  /** And this long after: lost lines and cut wires make a board tell it later. */
  lateMs: number;
};

type Amounts = Record<CountedField | 'events', number>;

export type Verdict = {
  /** True and not in the cloud, nor declared lost by a receipt. */
  lost: Amounts;
  /** In the cloud more often than it happened. */
  doubled: Amounts;
  /** Visits at another time than they happened. */
  misplaced: number;
  /** Events with other bytes than were sent. */
  altered: number;
  /** Events that nobody sent. */
  phantom: number;
  /** Sums of the rollups that differ from those of the events. */
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
  verdict.misplaced = misplacedVisits(truth, stored, tolerance);
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
  for (const field of countedFields) {
    const sum = [...told].reduce((total, [key, amount]) => (key.endsWith(` ${field}`) ? total + amount : total), 0);
    if (sum !== stored.rollups[field]) verdict.wrongRollups += 1;
  }
}

/** Sums by sensor and field over events and the sums that gap receipts carry. */
function toldSums(stored: StoredStation): Map<string, number> {
  const told = new Map<string, number>();
  for (const { event } of stored.events) {
    if (event.kind === 'people') {
      bump(told, event.sensor, 'in', event.in);
      bump(told, event.sensor, 'out', event.out);
    }
    if (event.kind === 'water') bump(told, event.sensor, 'ml', event.ml);
    if (event.kind === 'port') bump(told, event.sensor, 'mwh', event.mwh);
    if (event.kind === 'sos') bump(told, event.sensor, 'presses', event.presses);
  }
  for (const { gap } of stored.gaps) {
    for (const [sensor, sums] of Object.entries(gap.lost ?? {})) {
      for (const field of countedFields) bump(told, sensor, field, sums[field] ?? 0);
    }
  }
  return told;
}

/** Event by event, where the ledger knows every one that was sent. */
function compareKeys(truth: readonly LedgerEntry[], stored: StoredStation, verdict: Verdict): void {
  const sent = new Map<string, string>();
  const epochs = new Set<string>();
  for (const entry of truth) {
    if (entry.kind !== 'event') continue;
    sent.set(`${entry.epoch}/${entry.seq}`, entry.hash);
    epochs.add(entry.epoch);
  }
  if (sent.size === 0) return;
  const declared = stored.gaps.filter(({ epoch }) => epochs.has(epoch));
  const found = new Map(stored.events.map(({ epoch, seq, hash }) => [`${epoch}/${seq}`, hash]));
  for (const [key, hash] of sent) {
    const stored = found.get(key);
    if (stored === undefined && !isDeclared(key, declared)) verdict.lost.events += 1;
    if (stored !== undefined && stored !== hash) verdict.altered += 1;
  }
  for (const key of found.keys()) if (!sent.has(key)) verdict.phantom += 1;
}

function isDeclared(key: string, gaps: StoredStation['gaps']): boolean {
  const [epoch = '', seq = ''] = key.split('/');
  return gaps.some(({ epoch: of, gap }) => of === epoch && gap.from <= Number(seq) && Number(seq) <= gap.to);
}

/** The n-th visit that the cloud has must be at the time of the n-th that happened. */
function misplacedVisits(truth: readonly LedgerEntry[], stored: StoredStation, { earlyMs, lateMs }: Tolerance): number {
  const happened = tellableVisits(truth);
  const told = stored.events
    .flatMap(({ event }) => (event.kind === 'people' && event.in > 0 ? [event] : []))
    .sort((a, b) => a.at - b.at);
  let misplaced = 0;
  let index = 0;
  for (const event of told) {
    for (let visit = 0; visit < event.in; visit++, index++) {
      const at = happened[index];
      if (at !== undefined && (event.at < at - earlyMs || event.at > at + lateMs)) misplaced += 1;
    }
  }
  return misplaced;
}

/** Times of the visits that somebody could know of: those that a restart swallowed are the last before it. */
function tellableVisits(truth: readonly LedgerEntry[]): number[] {
  const times: number[] = [];
  for (const entry of truth) {
    if (entry.kind === 'count' && entry.field === 'in') times.push(...Array<number>(entry.by).fill(entry.at));
    if (entry.kind === 'untold' && entry.field === 'in') times.splice(times.length - entry.by, entry.by);
  }
  return times;
}

function bump(sums: Map<string, number>, sensor: string, field: CountedField, by: number): void {
  if (by === 0) return;
  const key = `${sensor} ${field}`;
  sums.set(key, (sums.get(key) ?? 0) + by);
}

function noAmounts(): Amounts {
  return { in: 0, out: 0, ml: 0, mwh: 0, presses: 0, events: 0 };
}
