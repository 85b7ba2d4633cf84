import { describe, expect, test } from 'vitest';
import { evaluate, iso, isPublicChange, type PublicStatus } from '../../../cloud/core/availability.ts';
import type { LiveRecord } from '../../../cloud/core/live.ts';
import type { StationState } from '../../../protocol/state.ts';
import { inside, liveRecord, mondayTen, stationRecord, stationState } from '../../support/station-data.ts';

const open = { open: true, changesAt: null };
const shut = { open: false, changesAt: null };
const secondMs = 1000;
const minuteMs = 60 * secondMs;

function statusOf(
  state: Partial<StationState>,
  {
    record = {},
    opening = open,
    afterMs = 0,
  }: { record?: Parameters<typeof stationRecord>[0]; opening?: typeof open; afterMs?: number } = {},
): PublicStatus {
  const live = liveRecord({ state: stationState(state) });
  return evaluate(stationRecord(record), live, opening, mondayTen + afterMs).status;
}

const locked = { sensor: 'door', open: false, locked: true, alarm: null };
const env = { tempC: null, rhPct: null, co2Ppm: null, smoke: null, flood: null, mains: null };
const stale = 300_001;

describe('the state of a station that reports', () => {
  test.each<[given: string, state: Partial<StationState>, word: string, around?: Parameters<typeof statusOf>[1]]>([
    ['all is well', {}, 'open'],
    ['the door is unknown', { door: 'unknown' }, 'open'],
    ['the door has no lock that is sensed', { door: { ...locked, locked: null } }, 'open'],
    ['the door is locked', { door: locked }, 'closed_fault'],
    ['the bolt is out while the door stands open', { door: { ...locked, open: true } }, 'open'],
    ['the door is locked outside its hours', { door: locked }, 'closed_hours', { opening: shut }],
    ['there is smoke', { env: { ...env, smoke: true } }, 'closed_fault'],
    ['there is water on the floor', { env: { ...env, flood: true } }, 'closed_fault'],
    ['there is no smoke', { env: { ...env, smoke: false } }, 'open'],
    ['the air is unknown', { env: 'unknown' }, 'open'],
    ['every seat is taken', inside(6), 'full'],
    ['more are inside than there are seats', inside(9), 'full'],
    ['one seat is left', inside(5), 'open'],
    ['every seat is taken, outside its hours', inside(6), 'closed_hours', { opening: shut }],
    ['there is smoke and every seat is taken', { ...inside(6), env: { ...env, smoke: true } }, 'closed_fault'],
    ['nobody knows how many are inside', { people: 'unknown' }, 'open'],
    ['nobody counted the seats', inside(50), 'open', { record: { capacity: null } }],
    ['the station itself says its seats', { ...inside(4), capacity: 4 }, 'full', { record: { capacity: null } }],
    ['the register says more seats than the station', { ...inside(4), capacity: 4 }, 'open'],
    ['the only seat is taken', inside(1), 'open', { record: { capacity: 1 } }],
    ['no sensor is well', { sensors: { door: { health: 'silent' }, people: { health: 'noisy' } } }, 'unknown'],
    ['there is no sensor', { sensors: {} }, 'unknown'],
    ['one sensor of two is well', { sensors: { a: { health: 'silent' }, b: { health: 'ok' } } }, 'open'],
    ['a sensor speaks of its fault', { sensors: { a: { health: 'fault' } } }, 'open'],
    ['it is late', {}, 'open', { afterMs: 60_001 }],
    ['it is stale', {}, 'unknown', { afterMs: stale }],
    ['it is stale and was locked', { door: locked }, 'unknown', { afterMs: stale }],
    ['it is stale, outside its hours', {}, 'closed_hours', { afterMs: stale, opening: shut }],
    ['it was removed', {}, 'removed', { record: { removedAt: mondayTen } }],
  ])('where %s', (_given, state, word, around) => {
    expect(statusOf(state, around).state).toBe(word);
  });
});

test.each<[kind: 'smart' | 'lite', opening: typeof open, word: string]>([
  ['smart', open, 'unknown'],
  ['smart', shut, 'closed_hours'],
  ['lite', open, 'open'],
  ['lite', shut, 'closed_hours'],
])('a %s station that never reported, by its hours %o: %s, and nothing is known of it', (kind, opening, word) => {
  expect(evaluate(stationRecord({ kind }), null, { ...opening, changesAt: 7 }, mondayTen)).toEqual({
    status: {
      id: 'tunxi-laojie',
      state: word,
      freshness: null,
      last_reported: null,
      last_changed: null,
      report_interval_s: null,
      level: null,
      last_used: null,
      features: [],
    },
    changesAt: 7,
  });
});

test('a removed station stays listed, changed when it was removed, and never changes again', () => {
  const removed = evaluate(
    stationRecord({ removedAt: mondayTen }),
    liveRecord(),
    { open: true, changesAt: 7 },
    mondayTen + 9,
  );
  expect(removed).toMatchObject({
    status: { state: 'removed', freshness: null, last_changed: '2026-11-23T02:00:00Z', features: [] },
    changesAt: null,
  });
});

test('times are those of the regular report and of the last public change, to the second', () => {
  const live = liveRecord({ reportedAt: mondayTen + 29_000, beatAt: mondayTen + 999, changedAt: mondayTen - 61_001 });
  expect(evaluate(stationRecord(), live, open, mondayTen + 30_000).status).toMatchObject({
    last_reported: '2026-11-23T02:00:00Z',
    last_changed: '2026-11-23T01:58:58Z',
    report_interval_s: 30,
    freshness: 'live',
  });
  expect(iso(mondayTen + 999)).toBe('2026-11-23T02:00:00Z');
});

test('freshness is that of the regular report, not of a state that a change brought', () => {
  const live = liveRecord({ beatAt: mondayTen, reportedAt: mondayTen + 61_000 });
  expect(evaluate(stationRecord(), live, open, mondayTen + 61_000).status.freshness).toBe('late');
});

describe('it is to be evaluated again', () => {
  const nextHours = mondayTen + 40 * secondMs;
  const used = { at: mondayTen - minuteMs, beforeSlotAt: null };
  test.each<[when: string, live: Partial<LiveRecord>, hoursChangeAt: number | null, nowMs: number, at: number | null]>([
    ['when it is no longer live', {}, null, mondayTen, mondayTen + 60_001],
    ['when its hours change before that', {}, nextHours, mondayTen, nextHours],
    ['when it is stale', {}, null, mondayTen + 60_001, mondayTen + 300_001],
    ['when it is offline', {}, null, mondayTen + 300_001, mondayTen + 600_001],
    ['never again', {}, null, mondayTen + 600_001, null],
    ['when a slot of use is over', { use: used }, null, mondayTen + 700_000, mondayTen + 20 * minuteMs],
  ])('%s', (_when, live, changesAt, nowMs, at) => {
    expect(evaluate(stationRecord(), liveRecord(live), { open: true, changesAt }, nowMs).changesAt).toBe(at);
  });
});

describe('what the public sees as a change', () => {
  const before = statusOf({});
  test.each<[what: string, after: PublicStatus, changed: boolean]>([
    ['a newer report of the same', { ...before, last_reported: '2026-11-23T02:05:00Z' }, false],
    ['its age alone', { ...before, freshness: 'late' }, false],
    ['a use in a later slot', { ...before, last_used: 'today' }, false],
    ['another state', { ...before, state: 'full' }, true],
    ['another level', { ...before, level: 'busy' }, true],
    ['a free port less', { ...before, features: before.features.map((one) => ({ ...one, free: 1 })) }, true],
    [
      'what is remembered of it',
      { ...before, features: before.features.map((one) => ({ ...one, last_known: { free: 1, at: '' } })) },
      false,
    ],
  ])('%s', (_what, after, changed) => {
    expect(isPublicChange(before, after)).toBe(changed);
  });
});
