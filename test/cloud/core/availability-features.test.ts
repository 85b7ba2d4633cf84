import { describe, expect, test } from 'vitest';
import { evaluate, type Feature, type PublicStatus } from '../../../cloud/core/availability.ts';
import type { StationState } from '../../../protocol/state.ts';
import {
  featureOf,
  inside,
  liveRecord,
  mondayTen,
  portPart,
  stationRecord,
  stationState,
  waterPart,
} from '../../support/station-data.ts';

const open = { open: true, changesAt: null };
const words = (...states: StationState['ports'][number]['state'][]): Pick<StationState, 'ports'> => ({
  ports: states.map((state, index) => portPart(`port-${index + 1}`, state)),
});

function statusOf(state: Partial<StationState>, capacity: number | null = 6, afterMs = 0): PublicStatus {
  const live = liveRecord({ state: stationState(state) });
  return evaluate(stationRecord({ capacity }), live, open, mondayTen + afterMs).status;
}

describe('ports', () => {
  test.each<[given: string, state: Partial<StationState>, feature: Partial<Feature> | undefined]>([
    ['there are none', { ports: [] }, undefined],
    ['both are free', words('free', 'free'), { total: 2, free: 2, in_use: 0, faulty: 0, unknown: 0 }],
    ['a full phone hangs on one', words('full', 'charging'), { total: 2, free: 0, in_use: 2, faulty: 0, unknown: 0 }],
    ['one is broken', words('free', 'fault'), { total: 2, free: 1, in_use: 0, faulty: 1, unknown: 0 }],
    [
      'one is unknown: it is not free',
      words('free', 'unknown'),
      { total: 2, free: 1, in_use: 0, faulty: 0, unknown: 1 },
    ],
    [
      'all are unknown: null, not 0',
      words('unknown'),
      { total: 1, free: null, in_use: null, faulty: null, unknown: 1 },
    ],
  ])('where %s', (_given, state, feature) => {
    expect(featureOf(statusOf(state), 'port')).toEqual(feature && { kind: 'port', ...feature });
  });
});

describe('hot water', () => {
  const one = { total: 1, in_use: null };
  test.each<[given: string, water: StationState['water'], feature: Partial<Feature> | undefined]>([
    ['there is no dispenser', [], undefined],
    ['it is hot', [waterPart()], { ...one, free: 1, faulty: 0, unknown: 0, temp_c: 92 }],
    ['it is not', [waterPart({ hot: 'unavailable' })], { ...one, free: 0, faulty: 1, unknown: 0, temp_c: null }],
    ['nobody knows', [waterPart({ hot: 'unknown' })], { ...one, free: null, faulty: null, unknown: 1, temp_c: null }],
    [
      'it is hot and nobody knows how hot',
      [waterPart({ hotC: null })],
      { ...one, free: 1, faulty: 0, unknown: 0, temp_c: null },
    ],
    [
      'two are hot: the warmer one is told',
      [waterPart({ hotC: 80.4 }), waterPart({ hotC: 95.6 })],
      { total: 2, in_use: null, free: 2, faulty: 0, unknown: 0, temp_c: 96 },
    ],
    [
      'of two one is out of order: its temperature is not told',
      [waterPart({ hotC: 80.4 }), waterPart({ hot: 'unavailable', hotC: 99 })],
      { total: 2, in_use: null, free: 1, faulty: 1, unknown: 0, temp_c: 80 },
    ],
    [
      'of two one is unknown',
      [waterPart({ hot: 'unknown' }), waterPart({ hot: 'unavailable' })],
      { total: 2, in_use: null, free: 0, faulty: 1, unknown: 1, temp_c: null },
    ],
  ])('where %s', (_given, water, feature) => {
    expect(featureOf(statusOf({ water }), 'water_hot')).toEqual(feature && { kind: 'water_hot', ...feature });
  });

  test('cold water is told of only where some dispenser has it', () => {
    expect(featureOf(statusOf({ water: [waterPart()] }), 'water_cold')).toBeUndefined();
    const both = statusOf({ water: [waterPart(), waterPart({ cold: 'available', coldC: 9.4 })] });
    expect(featureOf(both, 'water_cold')).toMatchObject({ total: 2, free: 1, faulty: 0, unknown: 1, temp_c: 9 });
  });
});

describe('seats, of which the exact number would tell how many are inside', () => {
  test.each<[given: string, seats: number | null, people: number | 'unknown', feature: Partial<Feature> | undefined]>([
    ['nobody counted them', null, 1, undefined],
    ['many are free', 20, 4, { free: 3, at_least: true, unknown: null }],
    ['exactly three are free', 6, 3, { free: 3, at_least: true, unknown: null }],
    ['two are free', 6, 4, { free: 2, unknown: null }],
    ['none is free', 6, 6, { free: 0, unknown: null }],
    ['more people than seats are inside', 6, 9, { free: 0, unknown: null }],
    ['of three nobody takes one', 3, 0, { free: 2, unknown: null }],
    ['of three the first person takes one', 3, 1, { free: 2, unknown: null }],
    ['there is a single one', 1, 0, { free: null, unknown: null }],
    ['nobody knows how many are inside', 6, 'unknown', { free: null, unknown: 6 }],
  ])('where %s', (_given, seats, count, feature) => {
    const status = statusOf(count === 'unknown' ? { people: count } : inside(count), seats);
    expect(featureOf(status, 'seat')).toEqual(
      feature && { kind: 'seat', total: seats, in_use: null, faulty: null, ...feature },
    );
  });
});

test.each<[count: number | 'unknown', seats: number | null, level: string | null]>([
  [0, 6, 'quiet'],
  [2, 6, 'quiet'],
  [2, 2, 'quiet'],
  [3, 6, 'busy'],
  [3, 7, 'some'],
  [4, 7, 'busy'],
  [90, null, 'some'],
  ['unknown', 6, null],
])('with %s inside and %s seats the level is %s', (count, seats, level) => {
  expect(statusOf(count === 'unknown' ? { people: count } : inside(count), seats).level).toBe(level);
});

test('a stale station offers nothing: what was moves aside with its time, a bound stays a bound', () => {
  const state = { ...words('free', 'charging'), water: [waterPart()], ...inside(1) };
  const at = '2026-11-23T02:00:00Z';
  const nothing = { free: null, in_use: null, faulty: null };
  expect(statusOf(state, 6, 300_001)).toMatchObject({ level: null, freshness: 'stale' });
  expect(statusOf(state, 6, 300_001).features).toEqual([
    { kind: 'seat', total: 6, ...nothing, unknown: 6, last_known: { free: 3, at_least: true, at } },
    { kind: 'port', total: 2, ...nothing, unknown: 2, last_known: { free: 1, at } },
    { kind: 'water_hot', total: 1, ...nothing, unknown: 1, temp_c: null, last_known: { free: 1, at } },
  ]);
});

test('nothing is remembered of what was unknown before', () => {
  const [seat, port] = statusOf({ people: 'unknown', ...words('unknown') }, 6, 300_001).features;
  expect([seat?.last_known, port?.last_known]).toEqual([undefined, undefined]);
});

test('a late station still offers what it said', () => {
  expect(featureOf(statusOf({}, 6, 300_000), 'port')).toMatchObject({ free: 2, unknown: 0 });
});
