import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Anchor,
  type BootEstimate,
  type BootSpan,
  estimateBoots,
  estimatedTime,
} from '../../../agent/core/clock.ts';

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 23, 4);
/** Boot Z began at 12:00 and saw a clock ten minutes later. */
const anchor: Anchor = { boot: 'Z', monoMs: 600_000, wallMs: noon + 600_000, source: 'cloud' };
const span = (boot: string, firstMonoMs: number, lastMonoMs: number): BootSpan => ({ boot, firstMonoMs, lastMonoMs });

test('a boot without a clock lies after what was told before it and before the boot that saw one', () => {
  const estimates = estimateBoots([span('A', 5000, 65_000)], noon - hour, anchor);
  expect(Object.fromEntries(estimates)).toEqual({
    A: { firstMonoMs: 5000, lastMonoMs: 65_000, lowerMs: noon - hour, upperMs: noon },
  });
});

test('of several, the earlier one ended before the later one began', () => {
  const estimates = estimateBoots([span('A', 4000, 64_000), span('B', 10_000, 30_000)], noon - hour, anchor);
  // B's machine ran for 30 s at least before noon, A's events spread over 60 s after eleven.
  expect(estimates.get('A')).toMatchObject({ lowerMs: noon - hour, upperMs: noon - 30_000 });
  expect(estimates.get('B')).toMatchObject({ lowerMs: noon - hour + 60_000, upperMs: noon });
});

test('without any event before, a boot is placed as late as it may be', () => {
  const [estimate] = [...estimateBoots([span('A', 5000, 65_000)], 0, anchor).values()];
  expect(estimate).toMatchObject({ lowerMs: noon - 60_000, upperMs: noon });
  expect(estimate && estimatedTime(estimate, 35_000)).toEqual({
    at: noon - 30_000,
    atMin: noon - 30_000,
    atMax: noon - 30_000,
  });
});

test('where the clock went back between, the lower bound yields to the upper', () => {
  expect(estimateBoots([span('A', 0, 1000)], noon + hour, anchor).get('A')).toMatchObject({
    lowerMs: noon,
    upperMs: noon,
  });
});

test.each<{ monoMs: number; at: number; atMin: number; atMax: number }>([
  { monoMs: 5000, atMin: noon - hour, atMax: noon - 60_000, at: noon - 1_830_000 },
  { monoMs: 65_000, atMin: noon - hour + 60_000, atMax: noon, at: noon - 1_770_000 },
])('an event at $monoMs of it has its bounds, and lies midway', ({ monoMs, ...time }) => {
  const estimate: BootEstimate = { firstMonoMs: 5000, lastMonoMs: 65_000, lowerMs: noon - hour, upperMs: noon };
  expect(estimatedTime(estimate, monoMs)).toEqual(time);
});

test('bounds that cross leave one time', () => {
  const estimate: BootEstimate = { firstMonoMs: 0, lastMonoMs: 60_000, lowerMs: noon, upperMs: noon };
  expect(estimatedTime(estimate, 30_000)).toEqual({ at: noon + 30_000, atMin: noon + 30_000, atMax: noon + 30_000 });
});

test('estimated events keep their order within a boot and between boots, inside their bounds', () => {
  const spans = fc.array(fc.tuple(fc.nat(10_000), fc.nat(600_000)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(spans, fc.nat(24 * hour), (lengths, roomMs) => {
      const boots = lengths.map(([first, length], index) => span(`b${index}`, first, first + length));
      const needMs = boots.reduce((sum, boot) => sum + boot.lastMonoMs, 0);
      const estimates = estimateBoots(boots, noon - needMs - roomMs, anchor);
      const times = boots.flatMap(({ boot, firstMonoMs, lastMonoMs }) => {
        const estimate = estimates.get(boot);
        return estimate ? [firstMonoMs, lastMonoMs].map((mono) => estimatedTime(estimate, mono)) : [];
      });
      expect(times).toHaveLength(2 * boots.length);
      for (const [index, { at, atMin = at, atMax = at }] of times.entries()) {
        expect(atMin).toBeLessThanOrEqual(at);
        expect(at).toBeLessThanOrEqual(atMax);
        expect(atMin).toBeGreaterThanOrEqual(noon - needMs - roomMs);
        expect(atMax).toBeLessThanOrEqual(noon);
        expect(at).toBeGreaterThanOrEqual(times[index - 1]?.at ?? 0);
      }
    }),
  );
});
