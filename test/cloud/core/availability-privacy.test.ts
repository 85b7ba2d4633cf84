import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate, isPublicChange } from '../../../cloud/core/availability.ts';
import type { StationState } from '../../../protocol/state.ts';
import { hourMs, liveRecord, mondayTen, stationRecord, stationState, waterPart } from '../../support/station-data.ts';

const supply = fc.constantFrom('available' as const, 'unavailable' as const, 'unknown' as const);
const maybeBool = fc.constantFrom(true, false, null);
const basis = fc.constantFrom(
  'counted' as const,
  'presence' as const,
  'door' as const,
  'quiet-hour' as const,
  'floor' as const,
);
const seats = fc.option(fc.integer({ min: 1, max: 8 }), { nil: null });

/** Any station; who is inside is filled in afterwards. */
const anyState: fc.Arbitrary<Partial<StationState>> = fc.record({
  reportIntervalS: fc.integer({ min: 1, max: 3600 }),
  door: fc.oneof(
    fc.constant('unknown' as const),
    fc.record({ open: fc.boolean(), locked: maybeBool }).map((door) => ({ sensor: 'door', alarm: null, ...door })),
  ),
  water: fc.array(fc.record({ hot: supply, cold: supply }).map(waterPart), { maxLength: 3 }),
  ports: fc.array(
    fc
      .constantFrom('free' as const, 'charging' as const, 'full' as const, 'fault' as const, 'unknown' as const)
      .map((state) => ({ sensor: 'port-1', state, mw: null })),
    { maxLength: 4 },
  ),
  env: fc
    .record({ smoke: maybeBool, flood: maybeBool })
    .map((env) => ({ tempC: null, rhPct: null, co2Ppm: null, mains: null, ...env })),
  sensors: fc.dictionary(
    fc.constantFrom('door', 'people', 'water'),
    fc
      .constantFrom('ok' as const, 'silent' as const, 'fault' as const, 'unknown' as const)
      .map((health) => ({ health })),
  ),
});

/** What a sensor may say of nobody and of one person: the estimate, what it rests on, and presence. */
const someone = fc.record({ basis, present: maybeBool });

const anyCase = fc.record({
  state: anyState,
  nobody: someone,
  one: someone,
  capacity: seats,
  ownCapacity: seats,
  kind: fc.constantFrom('smart' as const, 'lite' as const),
  removedAt: fc.constantFrom(null, mondayTen),
  isOpen: fc.boolean(),
  usedAgoMs: fc.option(fc.nat(48 * hourMs), { nil: null }),
  ageMs: fc.nat(700_000),
});

test('public data never tells an empty station from one with a single person', () => {
  fc.assert(
    fc.property(anyCase, ({ state, nobody, one, capacity, ownCapacity, kind, removedAt, isOpen, usedAgoMs, ageMs }) => {
      const nowMs = mondayTen + ageMs;
      const record = stationRecord({ capacity, kind, removedAt });
      const use = { at: usedAgoMs === null ? null : nowMs - usedAgoMs, beforeSlotAt: null };
      const own = ownCapacity === null ? {} : { capacity: ownCapacity };
      const evaluation = (people: StationState['people']) =>
        evaluate(
          record,
          liveRecord({ state: stationState({ ...state, ...own, people }), use }),
          { open: isOpen, changesAt: null },
          nowMs,
        );
      const empty = evaluation({ inside: 0, ...nobody });
      const taken = evaluation({ inside: 1, ...one });
      expect(JSON.stringify(taken)).toBe(JSON.stringify(empty));
      expect(isPublicChange(empty.status, taken.status)).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

test('a count of people is nowhere in what is public, up to where a station is nearly full', () => {
  const statusWith = (count: number): string =>
    JSON.stringify(
      evaluate(
        stationRecord({ capacity: 12 }),
        liveRecord({ state: stationState({ people: { inside: count, basis: 'counted', present: true } }) }),
        { open: true, changesAt: null },
        mondayTen,
      ).status,
    );
  expect(statusWith(2)).toBe(statusWith(0));
  expect(statusWith(5)).toBe(statusWith(3));
  expect(statusWith(9)).toBe(statusWith(6));
});

const minuteMs = 60_000;

/** Used at 10:05 of a Monday in Shanghai, and before that on the day before. */
const use = { at: mondayTen + 5 * minuteMs, beforeSlotAt: mondayTen - 24 * hourMs };

test.each<[when: string, nowMs: number, told: string]>([
  ['in the same minute', mondayTen + 5 * minuteMs, 'earlier'],
  ['a second before its slot is over', mondayTen + 20 * minuteMs - 1000, 'earlier'],
  ['when its slot is over', mondayTen + 20 * minuteMs, 'within_hour'],
  ['at the end of the hour', mondayTen + 60 * minuteMs - 1000, 'within_hour'],
  ['after the hour', mondayTen + 60 * minuteMs, 'today'],
  ['at the end of the day', mondayTen + 14 * hourMs - 1000, 'today'],
  ['on the next day, by the station’s own midnight', mondayTen + 14 * hourMs, 'earlier'],
])('the last use is told coarsely: %s', (_when, nowMs, told) => {
  expect(evaluate(stationRecord(), liveRecord({ use }), { open: true, changesAt: null }, nowMs).status.last_used).toBe(
    told,
  );
});

test('a station that nobody ever used says nothing of it', () => {
  const never = { at: null, beforeSlotAt: null };
  const { status } = evaluate(stationRecord(), liveRecord({ use: never }), { open: true, changesAt: null }, mondayTen);
  expect(status.last_used).toBeNull();
});
