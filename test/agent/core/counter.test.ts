import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  advance,
  advanceMeter,
  afterReboot,
  type Counter,
  type CounterRun,
  freshCounter,
  hold,
  release,
} from '../../../agent/core/counter.ts';

const run: CounterRun = { generation: 0, bootedAtMs: null };
const at = (raw: number | null, more: Partial<Counter> = {}): Counter => ({
  raw,
  generation: 0,
  atMs: 1000,
  held: null,
  ...more,
});

const holding = (raw: number | null, held: number): Counter => at(raw, { held: { raw: held, atMs: 2000 } });

test.each<{ what: string; given: Counter; raw: number; run?: CounterRun; delta: number }>([
  { what: 'the first value ever is a baseline', given: freshCounter, raw: 812, delta: 0 },
  { what: 'what was gained', given: at(10), raw: 13, delta: 3 },
  { what: 'nothing gained', given: at(10), raw: 10, delta: 0 },
  { what: 'the last step before the wrap', given: at(4_294_967_294), raw: 4_294_967_295, delta: 1 },
  { what: 'the wrap at 2^32', given: at(4_294_967_295), raw: 0, delta: 1 },
  { what: 'a wrap with lost lines around it', given: at(4_294_967_290), raw: 7, delta: 13 },
  { what: 'the furthest wrap', given: at(4_026_531_840), raw: 5, delta: 268_435_461 },
  { what: 'a fall that is no wrap: a reset that nobody announced', given: at(500), raw: 3, delta: 3 },
  { what: 'a reset of a counter that stood high, but not near its end', given: at(4_026_531_839), raw: 5, delta: 5 },
  { what: 'a fall to a value too high for a wrap', given: at(4_294_967_295), raw: 268_435_456, delta: 268_435_456 },
  {
    what: 'a restart: all of what it says is new, also where it is more than before',
    given: at(10),
    raw: 13,
    run: { generation: 1, bootedAtMs: null },
    delta: 13,
  },
  {
    what: 'a restart that became known late, before which the counter had spoken since',
    given: at(2, { atMs: 6000 }),
    raw: 5,
    run: { generation: 1, bootedAtMs: 5000 },
    delta: 3,
  },
  {
    what: 'the same where it had not',
    given: at(2, { atMs: 4000 }),
    raw: 5,
    run: { generation: 1, bootedAtMs: 5000 },
    delta: 5,
  },
])('$what: $delta', ({ given, raw, run: of = run, delta }) => {
  expect(advance(given, raw, of, 9000)).toEqual({
    delta,
    counter: { raw, generation: of.generation, atMs: 9000, held: null },
  });
});

test('a value that is held counts nothing until the board is known', () => {
  const held = hold(at(10), 14, 2000);
  expect(held).toEqual({ delta: 0, counter: { raw: 10, generation: 0, atMs: 1000, held: { raw: 14, atMs: 2000 } } });
  expect(advance(held.counter, 15, run, 3000).delta).toBe(5);
  expect(advance(held.counter, 15, { generation: 1, bootedAtMs: null }, 3000).delta).toBe(15);
});

const next = (bootedAtMs: number | null): CounterRun => ({ generation: 1, bootedAtMs });

test.each<{ what: string; given: Counter; of?: CounterRun; delta: number; raw: number | null }>([
  { what: 'nothing held', given: at(10), delta: 0, raw: 10 },
  { what: 'held of the run before', given: holding(10, 14), delta: 4, raw: 14 },
  { what: 'held of a run between', given: holding(500, 3), delta: 3, raw: 3 },
  { what: 'held after a wrap, or of a run between', given: holding(4_294_967_096, 7), delta: 7, raw: 7 },
  { what: 'held before anything was counted', given: holding(null, 14), delta: 0, raw: 14 },
  { what: 'held before the new run began', given: holding(10, 14), of: next(2001), delta: 4, raw: 14 },
  { what: 'held since the new run began', given: holding(10, 14), of: next(1999), delta: 0, raw: 10 },
])('released where $what: $delta', ({ given, of = next(null), delta, raw }) => {
  const released = release(given, of);
  expect(released.delta).toBe(delta);
  expect(released.counter).toMatchObject({ raw, held: null, generation: 0 });
});

test('what was held since the new run began is counted when that run says it again, and once', () => {
  const released = release(holding(500, 3), next(1500)).counter;
  expect(advance(released, 5, next(1500), 7000).delta).toBe(5);
  const before = release(holding(500, 503), next(2500)).counter;
  expect(advance(before, 5, next(2500), 7000).delta).toBe(5);
});

test('after a reboot of the machine the times of its counters are of no clock any more', () => {
  const rebooted = afterReboot(holding(10, 14), run);
  expect(rebooted).toMatchObject({ raw: 10, generation: 0, held: null });
  // 3000 ms of this boot are no earlier than 1000 ms of the one before.
  expect(advance(rebooted, 13, next(500), 3000).delta).toBe(13);
  expect(advance(rebooted, 13, run, 3000).delta).toBe(3);
  expect(JSON.parse(JSON.stringify(rebooted))).toEqual(rebooted);
});

test('a value that was of the new run already stays of it over a reboot', () => {
  const spoken = at(3, { atMs: 6000 });
  expect(advance(afterReboot(spoken, next(5000)), 5, next(5000), 100).delta).toBe(2);
});

test.each<{ what: string; given: number | null; raw: number; delta: number; stands: number }>([
  { what: 'the first total of a meter is a baseline', given: null, raw: 5_000_000, delta: 0, stands: 5_000_000 },
  { what: 'what was delivered', given: 5_000_000, raw: 5_000_400, delta: 400, stands: 5_000_400 },
  { what: 'no limit at 2^32', given: 4_294_967_290, raw: 4_294_967_300, delta: 10, stands: 4_294_967_300 },
  { what: 'an older value that a gateway repeats', given: 5_000_000, raw: 4_999_000, delta: 0, stands: 5_000_000 },
  { what: 'half of it is still an older value', given: 5_000_000, raw: 2_500_000, delta: 0, stands: 5_000_000 },
  { what: 'a meter that was reset', given: 5_000_000, raw: 200, delta: 200, stands: 200 },
])('$what: $delta', ({ given, raw, delta, stands }) => {
  const advanced = advanceMeter(at(given), raw, 9000);
  expect(advanced.delta).toBe(delta);
  expect(advanced.counter.raw).toBe(stands);
});

test('over any steps and wraps the deltas add up to what the board counted', () => {
  const start = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const steps = fc.array(fc.integer({ min: 0, max: 2 ** 27 }), { maxLength: 60 });
  fc.assert(
    fc.property(start, steps, (first, gains) => {
      let total = first;
      let counter = advance(freshCounter, first, run, 0).counter;
      let sum = 0;
      for (const gain of gains) {
        total += gain;
        const step = advance(counter, total % 2 ** 32, run, 0);
        counter = step.counter;
        sum += step.delta;
      }
      expect(sum).toBe(total - first);
    }),
  );
});
