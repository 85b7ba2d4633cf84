import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  add,
  count,
  endsEpoch,
  type HourSums,
  type Hours,
  hourOf,
  integrate,
  noSums,
  type Standing,
  stand,
} from '../../../cloud/core/rollup.ts';
import type { StationEvent } from '../../../protocol/events.ts';
import { agent, door, gap, health, hourMs, mondayTen, people, port, sos, water } from '../../support/station-data.ts';

const minuteMs = 60_000;
/** Minutes after ten o'clock. */
const at = (minute: number): number => mondayTen + minute * minuteMs;

/** What is not 0, by the hour after ten. */
function told(hours: Hours): Record<number, Partial<HourSums>> {
  return Object.fromEntries(
    [...hours]
      .toSorted(([a], [b]) => a - b)
      .map(([hour, sums]) => [
        (hour - mondayTen) / hourMs,
        Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0)),
      ]),
  );
}

/** The events of one sensor, in their order. */
function sumsOf(...events: StationEvent[]): Record<number, Partial<HourSums>> {
  return told(rolled(events).hours);
}

function rolled(events: readonly StationEvent[], from: Standing | null = null) {
  const hours: Hours = new Map();
  let standing = from;
  for (const event of events) {
    count(event, hours);
    standing = stand(event, standing, hours);
  }
  return { hours, standing };
}

test.each<[what: string, event: StationEvent, sums: Partial<HourSums>]>([
  ['visits, leaves and the peak', people({ in: 2, out: 1, inside: 5 }), { visits: 2, leaves: 1, insidePeak: 5 }],
  ['energy', port({ mwh: 830 }), { mwh: 830 }],
  ['water', water(240), { ml: 240 }],
  ['calls for help', sos(2), { presses: 2 }],
  ['nothing of an agent', agent('started'), {}],
  ['nothing of a sensor’s health', health('people', 'silent'), {}],
  [
    'what a lost range held, over all sensors',
    gap(5, 9, {
      lost: { people: { in: 3, out: 2 }, water: { ml: 100 }, 'port-1': { mwh: 7 }, button: { presses: 1 } },
    }),
    { visits: 3, leaves: 2, ml: 100, mwh: 7, presses: 1 },
  ],
])('an event holds by itself: %s', (_what, event, sums) => {
  const hours: Hours = new Map();
  count(event, hours);
  expect(told(hours)[0] ?? {}).toEqual(sums);
});

test('an event at the very beginning of an hour belongs to it, one a millisecond before does not', () => {
  expect(sumsOf(water(1, { at: at(60) }), water(2, { at: at(60) - 1 }))).toEqual({ 0: { ml: 2 }, 1: { ml: 1 } });
});

test('people who stay are added to every hour that they stay, and are its peak', () => {
  expect(sumsOf(people({ at: at(45), in: 3, inside: 3 }), people({ at: at(165), out: 3, inside: 0 }))).toEqual({
    0: { visits: 3, insidePeak: 3, insideMs: 3 * 15 * minuteMs, peopleMs: 15 * minuteMs },
    1: { insidePeak: 3, insideMs: 3 * 60 * minuteMs, peopleMs: 60 * minuteMs },
    2: { leaves: 3, insidePeak: 3, insideMs: 3 * 45 * minuteMs, peopleMs: 45 * minuteMs },
  });
});

test('a port is known while it is free, and charging while it charges', () => {
  expect(
    sumsOf(
      port({ at: at(0), state: 'charging' }),
      port({ at: at(30), state: 'full' }),
      port({ at: at(50), state: 'free', mwh: 5 }),
      port({ at: at(60) }),
    ),
  ).toEqual({ 0: { chargingMs: 30 * minuteMs, portMs: 60 * minuteMs, mwh: 5 }, 1: {} });
});

test('a door is counted when it opens, not while it stays open or shuts', () => {
  const again = [door(true), door(true), door(false), door(false), door(true)];
  expect(sumsOf(...again)).toEqual({ 0: { doorOpens: 2 } });
});

test('nothing is assumed over more than a week', () => {
  const week = 7 * 24 * 60;
  const over = (minutes: number) => sumsOf(people({ inside: 1 }), people({ at: at(minutes), inside: 1 }))[1];
  expect(over(week)?.peopleMs).toBe(hourMs);
  expect(over(week + 1)).toBeUndefined();
});

test('time that goes back adds nothing', () => {
  expect(sumsOf(people({ at: at(30), inside: 2 }), people({ at: at(10), inside: 2 }))[0]).toEqual({ insidePeak: 2 });
});

describe('what stands after an event', () => {
  const two: Standing = { kind: 'people', at: at(0), value: 2 };
  test.each<[event: string, StationEvent, standing: Standing | null, covered: number]>([
    ['a sensor that fell silent', health('people', 'silent', at(10)), null, 10],
    ['a sensor that turned noisy', health('people', 'noisy', at(10)), null, 10],
    ['a sensor that is well again', health('people', 'ok', at(10)), { ...two, at: at(10) }, 10],
    ['a sensor that reports a fault', health('people', 'fault', at(10)), { ...two, at: at(10) }, 10],
    ['an event of the agent', agent('clock-set', at(10)), { ...two, at: at(10) }, 10],
    ['a gap receipt', gap(1, 9, { at: at(10) }), two, 0],
    ['the next count', people({ at: at(10), inside: 3 }), { kind: 'people', at: at(10), value: 3 }, 10],
  ])('%s', (_event, event, standing, covered) => {
    const done = rolled([event], two);
    expect(done.standing).toEqual(standing);
    expect(done.hours.get(mondayTen)?.peopleMs ?? 0).toBe(covered * minuteMs);
  });

  test('after a silence time begins again with the next count', () => {
    const sums = sumsOf(
      people({ at: at(0), inside: 4 }),
      health('people', 'silent', at(10)),
      health('people', 'ok', at(20)),
      people({ at: at(30), inside: 1 }),
      people({ at: at(40), inside: 1 }),
    );
    expect(sums[0]).toMatchObject({ insideMs: (40 + 10) * minuteMs, peopleMs: 20 * minuteMs });
  });
});

test.each([
  [agent('stopped'), true],
  [agent('started'), false],
  [health('people', 'silent'), false],
])('%o ends its epoch: %s', (event, ends) => {
  expect(endsEpoch(event)).toBe(ends);
});

test('the peak of an hour is the highest of what is added, all else is the sum', () => {
  const hours: Hours = new Map();
  const one = { ...noSums, visits: 1, insidePeak: 4, insideMs: 10 };
  add(hours, at(5), one);
  add(hours, at(50), { ...one, insidePeak: 3 });
  expect(told(hours)).toEqual({ 0: { visits: 2, insidePeak: 4, insideMs: 20 } });
});

test('a sum that a hostile board drives up stays a whole number that a database can hold', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const sums = sumsOf(
    people({ in: most, out: most, inside: most }),
    people({ in: most, out: most, inside: most, at: at(59) }),
  );
  expect(sums[0]).toMatchObject({ visits: most, leaves: most, insideMs: most, insidePeak: most });
});

const word = fc.constantFrom('free', 'charging', 'full', 'fault');
const happening: fc.Arbitrary<(atMs: number) => StationEvent> = fc.oneof(
  fc.tuple(fc.nat(3), fc.nat(3), fc.nat(9)).map(
    ([cameIn, out, inside]) =>
      (atMs: number) =>
        people({ at: atMs, in: cameIn, out, inside }),
  ),
  fc.tuple(word, fc.nat(99)).map(
    ([state, mwh]) =>
      (atMs: number) =>
        port({ at: atMs, state, mwh }),
  ),
  fc.nat(500).map((ml) => (atMs: number) => water(ml, { at: atMs })),
  fc.boolean().map((open) => (atMs: number) => door(open, { at: atMs })),
  fc.constantFrom('ok' as const, 'silent' as const).map((health_) => (atMs: number) => health('people', health_, atMs)),
);
/** Events in their order, up to six hours apart. */
const day = fc.array(fc.tuple(fc.nat(6 * hourMs), happening), { maxLength: 40 }).map((steps) => {
  let nowMs = mondayTen;
  return steps.map(([later, make]) => {
    nowMs += later;
    return make(nowMs);
  });
});

/** As a store does: every part's sums are added to those before, what stands is carried over by sensor. */
function inParts(parts: readonly (readonly StationEvent[])[]): Hours {
  const total: Hours = new Map();
  const standings = new Map<string, Standing | null>();
  for (const events of parts) {
    const hours: Hours = new Map();
    for (const event of events) {
      count(event, hours);
      standings.set(event.sensor, stand(event, standings.get(event.sensor) ?? null, hours));
    }
    for (const [hour, sums] of hours) add(total, hour, sums);
  }
  return total;
}

test('the sums of any split into batches are equal', () => {
  fc.assert(
    fc.property(day, fc.array(fc.nat(40), { maxLength: 8 }), (events, cuts) => {
      const borders = [0, ...cuts.map((cut) => Math.min(cut, events.length)).toSorted((a, b) => a - b), events.length];
      const parts = borders.slice(1).map((border, index) => events.slice(borders[index], border));
      expect(told(inParts(parts))).toEqual(told(inParts([events])));
    }),
  );
});

test('no hour covers more time of a sensor than it has, and the mean is never above the peak', () => {
  fc.assert(
    fc.property(day, (events) => {
      for (const [hour, sums] of inParts([events])) {
        expect(hour).toBe(hourOf(hour));
        expect(sums.peopleMs).toBeLessThanOrEqual(hourMs);
        expect(sums.portMs).toBeLessThanOrEqual(hourMs);
        expect(sums.chargingMs).toBeLessThanOrEqual(sums.portMs);
        expect(sums.insideMs).toBeLessThanOrEqual(sums.insidePeak * sums.peopleMs);
      }
    }),
  );
});

test('time is added once, however it is cut', () => {
  const length = fc.nat(20 * hourMs);
  fc.assert(
    fc.property(length, length, length, (offset, first, second) => {
      const from: Standing = { kind: 'people', at: mondayTen + offset, value: 2 };
      const middle = from.at + first;
      const whole: Hours = new Map();
      integrate(from, middle + second, whole);
      const cut: Hours = new Map();
      integrate(from, middle, cut);
      integrate({ ...from, at: middle }, middle + second, cut);
      expect(told(cut)).toEqual(told(whole));
      const covered = [...whole.values()].reduce((sum, { peopleMs }) => sum + peopleMs, 0);
      expect(covered).toBe(first + second);
    }),
  );
});
