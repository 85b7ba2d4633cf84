import { expect, test } from 'vitest';
import {
  type LastUse,
  type LiveRecord,
  neverUsed,
  noteUse,
  type StateArrival,
  takeState,
  toldUse,
} from '../../../cloud/core/live.ts';
import { liveRecord, mondayTen, stationState } from '../../support/station-data.ts';

type Given = Partial<Omit<StateArrival, 'state'>> & { state?: Parameters<typeof stationState>[0] };
const later = mondayTen + 30_000;

function arrival({ state, ...given }: Given = {}): StateArrival {
  return {
    state: stationState({ seq: 2, at: later, ...state }),
    epochOrder: 5,
    retained: false,
    arrivedAt: later,
    ...given,
  };
}

const standing = liveRecord({ epochOrder: 5, state: stationState({ seq: 2 }) });
const takes = (given: Given, known: LiveRecord | null = standing): boolean =>
  takeState(known, arrival(given)) !== known;

test.each<{ when: string; given: Given; taken: boolean }>([
  { when: 'of a newer sequence', given: { state: { seq: 3 } }, taken: true },
  { when: 'of a newer sequence and an older clock', given: { state: { seq: 3, at: mondayTen - 1 } }, taken: true },
  { when: 'of an older sequence and a newer clock', given: { state: { seq: 1, at: later } }, taken: false },
  { when: 'of a newer epoch with a lower sequence', given: { epochOrder: 6, state: { seq: 0 } }, taken: true },
  { when: 'of an older epoch with a higher sequence', given: { epochOrder: 4, state: { seq: 99 } }, taken: false },
  { when: 'of the same sequence, later', given: {}, taken: true },
  { when: 'of the same sequence, true earlier', given: { state: { at: mondayTen - 60_000 } }, taken: false },
  { when: 'of the same sequence, kept by the broker', given: { retained: true }, taken: false },
  { when: 'of a newer sequence, kept by the broker', given: { retained: true, state: { seq: 3 } }, taken: true },
  {
    when: 'kept by the broker, of a station without a clock',
    given: { retained: true, state: { seq: 3, clock: 'unset', at: null } },
    taken: false,
  },
])('a state $when: taken $taken', ({ given, taken }) => {
  expect(takes(given)).toBe(taken);
});

test.each<{ when: string; given: Given; taken: boolean }>([
  { when: 'within the lease of the newer one', given: { arrivedAt: mondayTen + 60_000 }, taken: false },
  { when: 'after the lease of the newer one', given: { arrivedAt: mondayTen + 60_001 }, taken: true },
  { when: 'after it, kept by the broker', given: { arrivedAt: mondayTen + 60_001, retained: true }, taken: false },
  {
    when: 'after it, true before',
    given: { arrivedAt: mondayTen + 60_001, state: { at: mondayTen - 9000 } },
    taken: false,
  },
])('an older epoch speaks again $when: taken $taken', ({ given, taken }) => {
  const { arrivedAt = later } = given;
  expect(takes({ epochOrder: 4, ...given, state: { at: arrivedAt, ...given.state } })).toBe(taken);
});

test.each<{ when: string; given: Given; reportedAt: number | null }>([
  { when: 'came at once', given: {}, reportedAt: later },
  { when: 'was an hour under way', given: { arrivedAt: later + 3_600_000 }, reportedAt: later + 5000 },
  { when: 'was kept by the broker', given: { retained: true, arrivedAt: later + 3_600_000 }, reportedAt: later + 5000 },
  { when: 'is of a clock that runs ahead', given: { state: { at: later + 3_600_000 } }, reportedAt: later },
  { when: 'has no clock', given: { state: { clock: 'unset', at: null } }, reportedAt: later },
  { when: 'has a time that it does not trust', given: { state: { clock: 'unset', at: 5 } }, reportedAt: later },
  {
    when: 'has no clock and was kept',
    given: { retained: true, state: { clock: 'unset', at: null } },
    reportedAt: null,
  },
])('a first state that $when is of $reportedAt', ({ given, reportedAt }) => {
  expect(takeState(null, arrival(given))?.reportedAt ?? null).toBe(reportedAt);
});

test.each<{ when: string; given: Given; beatAt: number }>([
  { when: 'a change brought it', given: { state: { seq: 3 } }, beatAt: mondayTen },
  { when: 'it is marked', given: { state: { seq: 3, beat: true } }, beatAt: later },
  {
    when: 'its sender never marks one and its interval is over',
    given: { state: { seq: 3, at: mondayTen + 45_000 }, arrivedAt: mondayTen + 45_000 },
    beatAt: mondayTen + 45_000,
  },
  {
    when: 'its sender never marks one and its interval is nearly over',
    given: { state: { seq: 3, at: mondayTen + 44_999 }, arrivedAt: mondayTen + 44_999 },
    beatAt: mondayTen,
  },
])('the regular report is of $beatAt where $when', ({ given, beatAt }) => {
  expect(takeState(standing, arrival(given))?.beatAt).toBe(beatAt);
});

test('a first state is a beat, is online and has changed now; a next one keeps what the station was', () => {
  const first = takeState(null, arrival());
  expect(first).toMatchObject({ beatAt: later, changedAt: later, online: true, use: neverUsed, epochOrder: 5 });
  const known = liveRecord({ epochOrder: 4, changedAt: 7, online: false, use: { at: 9, beforeSlotAt: 8 } });
  expect(takeState(known, arrival())).toMatchObject({ changedAt: 7, online: false, use: { at: 9, beforeSlotAt: 8 } });
});

test('a state of another connection than the one that a will ended is from a station that came back', () => {
  const gone = liveRecord({ epochOrder: 5, online: false });
  expect(takeState(gone, arrival({ state: { seq: 3, nonce: 'nonce-2' } }))?.online).toBe(true);
});

const minuteMs = 60_000;
/** Minutes after ten; slots begin at 0, 20 and 40. */
const use = (at: number | null, beforeSlotAt: number | null = null): LastUse => ({
  at: at === null ? null : mondayTen + at * minuteMs,
  beforeSlotAt: beforeSlotAt === null ? null : mondayTen + beforeSlotAt * minuteMs,
});

test.each<{ when: string; before: LastUse; minute: number; after: LastUse }>([
  { when: 'it is the first', before: neverUsed, minute: 5, after: use(5) },
  { when: 'it is later in the same slot', before: use(5, -30), minute: 19, after: use(19, -30) },
  { when: 'it is earlier in the same slot', before: use(19, -30), minute: 5, after: use(19, -30) },
  { when: 'it is in a later slot', before: use(19, -30), minute: 20, after: use(20, 19) },
  { when: 'it is in an earlier slot', before: use(25, -30), minute: 10, after: use(25, 10) },
  { when: 'it is older than all', before: use(25, 10), minute: -60, after: use(25, 10) },
])('notes a use where $when', ({ before, minute, after }) => {
  expect(noteUse(before, mondayTen + minute * minuteMs)).toEqual(after);
});

test.each<{ when: string; known: LastUse; minute: number; told: number | null }>([
  { when: 'there was none', known: neverUsed, minute: 5, told: null },
  { when: 'its slot runs', known: use(5), minute: 19.99, told: null },
  { when: 'its slot runs, and one before it is over', known: use(5, -30), minute: 19.99, told: -30 },
  { when: 'its slot is over', known: use(5, -30), minute: 20, told: 5 },
  { when: 'it lies in the future', known: use(50, -30), minute: 5, told: -30 },
])('tells of minute $told where $when', ({ known, minute, told }) => {
  expect(toldUse(known, mondayTen + minute * minuteMs)).toBe(told === null ? null : mondayTen + told * minuteMs);
});
