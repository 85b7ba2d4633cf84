import type { LedgerEntry } from '../ledger/ledger.ts';
import type { StoredEvent, Tolerance } from './compare.ts';

/** Visits that the cloud has at a time at which none happened; one that it has twice is no second one. */
export function misplacedVisits(
  truth: readonly LedgerEntry[],
  stored: readonly StoredEvent[],
  doubled: number,
  { earlyMs, lateMs }: Tolerance,
): number {
  const happened = tellableVisits(truth);
  if (happened.length === 0) return 0;
  const told = stored
    .flatMap(({ event }) => (event.kind === 'people' ? Array<number>(event.in).fill(event.at) : []))
    .sort((a, b) => a - b);
  let partnerless = 0;
  let next = 0;
  for (const at of told) {
    // Too long ago for this one and all that follow: lost, or declared lost.
    while ((happened[next] ?? Number.POSITIVE_INFINITY) < at - lateMs) next += 1;
    if ((happened[next] ?? Number.POSITIVE_INFINITY) <= at + earlyMs) next += 1;
    else partnerless += 1;
  }
  return Math.max(0, partnerless - doubled);
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
