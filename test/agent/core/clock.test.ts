import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Anchor, type ClockSample, observe, startClock, wallAt } from '../../../agent/core/clock.ts';

const config = { maxUncertaintyMs: 2000, toleranceMs: 1000, preferSystemMs: 300_000 };
const noon = Date.UTC(2026, 10, 23, 4);
const anchored: Anchor = { boot: 'B', monoMs: 10_000, wallMs: noon, source: 'cloud' };

const sample = (more: Partial<ClockSample> = {}): ClockSample => ({
  source: 'cloud',
  monoMs: 20_000,
  wallMs: noon + 10_000,
  uncertaintyMs: 0,
  ...more,
});

test('an anchor tells the wall time of any moment of its boot, before and after it', () => {
  expect(wallAt(anchored, 10_000)).toBe(noon);
  expect(wallAt(anchored, 11_500.4)).toBe(noon + 1500);
  expect(wallAt(anchored, 4000)).toBe(noon - 6000);
});

test('a start takes the last anchor of its own boot, and none of another', () => {
  const later: Anchor = { ...anchored, monoMs: 90_000, wallMs: noon + 80_500 };
  const ofA: Anchor = { ...anchored, boot: 'A' };
  expect(startClock('B', [anchored, ofA, later, { ...ofA, monoMs: 95_000 }]).anchor).toEqual(later);
  expect(startClock('C', [anchored, ofA]).anchor).toBeNull();
});

test('the first certain sample sets an unset clock', () => {
  const { state, anchor } = observe(startClock('B', []), sample({ monoMs: 20_000.6, wallMs: noon + 0.4 }), config);
  expect(anchor).toEqual({ boot: 'B', monoMs: 20_001, wallMs: noon, source: 'cloud' });
  expect(state.anchor).toEqual(anchor);
});

test.each<{ what: string; sampled: Partial<ClockSample>; set: boolean }>([
  { what: 'the same time', sampled: {}, set: false },
  { what: 'off by the tolerance', sampled: { wallMs: noon + 11_000 }, set: false },
  { what: 'ahead by more than the tolerance', sampled: { wallMs: noon + 11_001 }, set: true },
  { what: 'behind by more than the tolerance', sampled: { wallMs: noon + 8999 }, set: true },
  { what: 'off by what it does not know itself', sampled: { wallMs: noon + 12_500, uncertaintyMs: 1500 }, set: false },
  { what: 'off by more than that', sampled: { wallMs: noon + 12_501, uncertaintyMs: 1500 }, set: true },
  { what: 'far off, and as certain as it must be', sampled: { wallMs: noon + 90_000, uncertaintyMs: 2000 }, set: true },
  { what: 'far off, and too uncertain', sampled: { wallMs: noon + 90_000, uncertaintyMs: 2001 }, set: false },
  { what: 'a day back', sampled: { wallMs: noon - 86_400_000 }, set: true },
])('a sample of $what sets the clock anew: $set', ({ sampled, set }) => {
  const told = sample(sampled);
  const { state, anchor } = observe(startClock('B', [anchored]), told, config);
  expect(anchor).toEqual(set ? { boot: 'B', monoMs: 20_000, wallMs: told.wallMs, source: 'cloud' } : null);
  expect(state.anchor).toEqual(anchor ?? anchored);
});

test('an uncertain sample does not set an unset clock', () => {
  const unset = startClock('B', []);
  expect(observe(unset, sample({ uncertaintyMs: 2001 }), config)).toEqual({ state: unset, anchor: null });
});

test('the cloud is not asked while the machine’s own clock was good lately', () => {
  const system = sample({ source: 'system', monoMs: 20_000, wallMs: noon });
  const kept = observe(startClock('B', []), system, config).state;
  const cloud = { wallMs: noon + 3_600_000 };
  expect(observe(kept, sample({ monoMs: 319_999, ...cloud }), config).anchor).toBeNull();
  expect(observe(kept, sample({ monoMs: 320_000, ...cloud }), config).anchor).not.toBeNull();
});

test('a good look at the machine’s clock counts although nothing moved', () => {
  const system = (monoMs: number) => sample({ source: 'system', monoMs, wallMs: noon + monoMs });
  const first = observe(startClock('B', []), system(0), config).state;
  const second = observe(first, system(250_000), config);
  expect(second.anchor).toBeNull();
  expect(observe(second.state, sample({ monoMs: 400_000, wallMs: noon - 1 }), config).anchor).toBeNull();
});

test('the machine’s own clock is asked however good it was', () => {
  const system = sample({ source: 'system', monoMs: 20_000, wallMs: noon });
  const kept = observe(startClock('B', []), system, config).state;
  expect(observe(kept, { ...system, monoMs: 21_000, wallMs: noon + 60_000 }, config).anchor).not.toBeNull();
});

test('the machine’s clock may put the cloud’s right', () => {
  const { anchor } = observe(startClock('B', [anchored]), sample({ source: 'system', wallMs: noon }), config);
  expect(anchor).toMatchObject({ source: 'system', wallMs: noon });
});

test('after any samples the clock agrees with the last certain one within its tolerance', () => {
  const told = fc.record({
    stepMs: fc.integer({ min: 0, max: 600_000 }),
    offMs: fc.integer({ min: -5000, max: 5000 }),
    uncertaintyMs: fc.integer({ min: 0, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(told, { minLength: 1, maxLength: 30, size: 'max' }), (samples) => {
      let state = startClock('B', []);
      let monoMs = 0;
      for (const { stepMs, offMs, uncertaintyMs } of samples) {
        monoMs += stepMs;
        const wallMs = noon + monoMs + offMs;
        state = observe(state, sample({ monoMs, wallMs, uncertaintyMs }), config).state;
        const said = state.anchor ? wallAt(state.anchor, monoMs) : Number.NaN;
        expect(Math.abs(said - wallMs)).toBeLessThanOrEqual(1000 + uncertaintyMs);
      }
    }),
  );
});
