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
  resume,
} from '../../../agent/core/counter.ts';

const run: CounterRun = { generation: 0, bootedAtMs: null };
const at = (raw: number | null, more: Partial<Counter> = {}): Counter => ({
  raw,
  generation: 0,
  atMs: 1000,
  held: null,
  ...more,
});

const holding = (raw: number | null, held: number): Counter => at(raw, { atMs: 500, held: { raw: held, atMs: 2000 } });

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
    what: 'one that was read in the second before, just below the wrap',
    given: at(4_294_967_096, { atMs: 5500 }),
    raw: 0,
    run: { generation: 1, bootedAtMs: 5000 },
    delta: 0,
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

test.each<{ what: string; given: Counter; before?: CounterRun; of?: CounterRun; delta: number; raw: number | null }>([
  { what: 'nothing held', given: at(10), delta: 0, raw: 10 },
  { what: 'held of the run before', given: holding(10, 14), delta: 4, raw: 14 },
  { what: 'held of a run between', given: holding(500, 3), delta: 3, raw: 3 },
  { what: 'held after a wrap, or of a run between', given: holding(4_294_967_096, 7), delta: 7, raw: 7 },
  { what: 'held before anything was counted', given: holding(null, 14), delta: 0, raw: 14 },
  {
    what: 'held of a run before that had not spoken',
    given: holding(10, 14),
    before: next(null),
    of: { generation: 2, bootedAtMs: null },
    delta: 14,
    raw: 14,
  },
  { what: 'held before the new run began', given: holding(10, 14), of: next(2001), delta: 4, raw: 14 },
  { what: 'held in the second in which the new run began', given: holding(10, 14), of: next(1000), delta: 0, raw: 10 },
  { what: 'held of the new run', given: holding(10, 14), of: next(999), delta: 14, raw: 14 },
])('released where $what: $delta', ({ given, before = run, of = next(null), delta, raw }) => {
  const released = release(given, before, of, 5000);
  expect(released.delta).toBe(delta);
  expect(released.counter).toMatchObject({ raw, held: null });
});

test.each<{ what: string; given: Counter; delta: number }>([
  { what: 'nothing held', given: at(10), delta: 0 },
  { what: 'what was held', given: holding(10, 14), delta: 4 },
  { what: 'what was held after a wrap', given: holding(4_294_967_293, 7), delta: 10 },
  { what: 'the first value of all: a baseline', given: holding(null, 14), delta: 0 },
])('a board that went on: $what counts $delta', ({ given, delta }) => {
  const resumed = resume(given, run, 5000);
  expect(resumed.delta).toBe(delta);
  expect(resumed.counter).toMatchObject({ raw: given.held?.raw ?? 10, held: null });
});

test('what was held of the new run is counted once, whether or not it was sure', () => {
  const sure = release(holding(500, 3), run, next(500), 5000).counter;
  expect(advance(sure, 5, next(500), 7000).delta).toBe(2);
  const unsure = release(holding(500, 3), run, next(1500), 5000).counter;
  expect(advance(unsure, 5, next(1500), 7000).delta).toBe(5);
  const before = release(holding(500, 503), run, next(2500), 5000).counter;
  expect(advance(before, 5, next(2500), 7000).delta).toBe(5);
});

test('after a reboot of the machine the times of its counters are of no clock any more', () => {
  const rebooted = afterReboot(at(10), run);
  // 3000 ms of this boot are no earlier than 1000 ms of the one before.
  expect(advance(rebooted, 13, next(500), 3000).delta).toBe(13);
  expect(advance(rebooted, 13, run, 3000).delta).toBe(3);
  expect(JSON.parse(JSON.stringify(rebooted))).toEqual(rebooted);
});

test('what was held before a reboot counts where the board went on, or is heard to begin again; else it is said again', () => {
  const rebooted = afterReboot(holding(10, 14), run);
  const resumed = resume(rebooted, run, 5000);
  expect(resumed.delta).toBe(4);
  // Whenever it was said, what is counted now is not counted again as a later run's.
  expect(advance(resumed.counter, 15, next(4000), 6000).delta).toBe(1);
  expect(release(rebooted, run, next(null), 5000).delta).toBe(4);
  expect(release(rebooted, run, next(-500_000), 5000)).toEqual({ delta: 0, counter: { ...rebooted, held: null } });
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
  const steps = fc.array(fc.integer({ min: 0, max: 2 ** 27 }), { maxLength: 60, size: 'max' });
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
