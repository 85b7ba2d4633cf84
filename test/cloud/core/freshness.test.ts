import { expect, test } from 'vitest';
import { freshnessChangesAt, freshnessOf } from '../../../cloud/core/freshness.ts';

const reportedAt = 1_000_000_000;

test.each<{ intervalS: number; ageMs: number; freshness: string; nextAtAge: number | null }>([
  { intervalS: 30, ageMs: 0, freshness: 'live', nextAtAge: 60_001 },
  { intervalS: 30, ageMs: -5000, freshness: 'live', nextAtAge: 60_001 },
  { intervalS: 30, ageMs: 60_000, freshness: 'live', nextAtAge: 60_001 },
  { intervalS: 30, ageMs: 60_001, freshness: 'late', nextAtAge: 300_001 },
  { intervalS: 30, ageMs: 300_000, freshness: 'late', nextAtAge: 300_001 },
  { intervalS: 30, ageMs: 300_001, freshness: 'stale', nextAtAge: 600_001 },
  { intervalS: 30, ageMs: 600_000, freshness: 'stale', nextAtAge: 600_001 },
  { intervalS: 30, ageMs: 600_001, freshness: 'offline', nextAtAge: null },
  // A station that reports rarely is stale by the same clock: its own interval buys it no more.
  { intervalS: 3600, ageMs: 300_000, freshness: 'live', nextAtAge: 300_001 },
  { intervalS: 3600, ageMs: 300_001, freshness: 'stale', nextAtAge: 600_001 },
  { intervalS: 3600, ageMs: 600_001, freshness: 'offline', nextAtAge: null },
  { intervalS: 1, ageMs: 2001, freshness: 'late', nextAtAge: 300_001 },
])('a report every $intervalS s of age $ageMs ms is $freshness', ({ intervalS, ageMs, freshness, nextAtAge }) => {
  expect(freshnessOf(reportedAt, intervalS, reportedAt + ageMs)).toBe(freshness);
  expect(freshnessChangesAt(reportedAt, intervalS, reportedAt + ageMs)).toBe(
    nextAtAge === null ? null : reportedAt + nextAtAge,
  );
});
