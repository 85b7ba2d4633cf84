import { expect, test } from 'vitest';
import { type EnvState, envReading, forgetEnv, initialEnv } from '../../../agent/core/env.ts';

const config = { measureEveryMs: 300_000 };

type Air = { tempC?: number; rhPct?: number; co2Ppm?: number; smoke?: boolean; flood?: boolean; mains?: boolean };

const base = { tempC: 22, rhPct: 50, co2Ppm: 600, smoke: false, flood: false, mains: true };
const hear = (state: EnvState, air: Air, nowMs: number) =>
  envReading(state, { kind: 'env', sensor: 'env', ...air }, nowMs, config);
const said = hear(initialEnv, base, 0).state;

test('the first word is said at once; what it lacks is null', () => {
  const step = hear(initialEnv, { tempC: 22.5, mains: true }, 0);
  const air = { tempC: 22.5, rhPct: null, co2Ppm: null, smoke: null, flood: null, mains: true };
  expect(step.events).toEqual([{ body: { kind: 'env', sensor: 'env', ...air }, transition: true }]);
});

test.each<{ what: string; air: Air; nowMs: number; event: 'transition' | 'measurement' | null }>([
  { what: 'smoke', air: { smoke: true }, nowMs: 1000, event: 'transition' },
  { what: 'a flood', air: { flood: true }, nowMs: 1000, event: 'transition' },
  { what: 'mains power gone', air: { mains: false }, nowMs: 1000, event: 'transition' },
  { what: 'warmer air, too soon', air: { tempC: 30 }, nowMs: 299_999, event: null },
  { what: 'warmer air, in its turn', air: { tempC: 23 }, nowMs: 300_000, event: 'measurement' },
  { what: 'hardly warmer air', air: { tempC: 22.9 }, nowMs: 900_000, event: null },
  { what: 'damper air', air: { rhPct: 55 }, nowMs: 300_000, event: 'measurement' },
  { what: 'hardly drier air', air: { rhPct: 45.5 }, nowMs: 900_000, event: null },
  { what: 'stale air', air: { co2Ppm: 700 }, nowMs: 300_000, event: 'measurement' },
  { what: 'hardly staler air', air: { co2Ppm: 699 }, nowMs: 900_000, event: null },
  { what: 'the same air', air: {}, nowMs: 900_000, event: null },
])('$what: $event', ({ air, nowMs, event }) => {
  const { events, state } = hear(said, { ...base, ...air }, nowMs);
  const body = { kind: 'env', sensor: 'env', ...base, ...air };
  expect(events).toEqual(event === null ? [] : [{ body, transition: event === 'transition' }]);
  expect(state.now).toEqual({ ...base, ...air });
});

test('measurements come at most every measureEveryS, one after the other', () => {
  const warmer = hear(said, { ...base, tempC: 24 }, 300_000).state;
  expect(hear(warmer, { ...base, tempC: 26 }, 599_999).events).toEqual([]);
  expect(hear(warmer, { ...base, tempC: 26 }, 600_000).events).toHaveLength(1);
});

test('a value that is no longer told is a change, and null', () => {
  const { tempC: _gone, ...rest } = base;
  expect(hear(said, rest, 300_000).events).toEqual([
    { body: { kind: 'env', sensor: 'env', ...base, tempC: null }, transition: false },
  ]);
});

test('a room that was forgotten is unknown, and says nothing new where it comes back as it was', () => {
  const forgotten = forgetEnv(said);
  expect(Object.values(forgotten.now)).toEqual([null, null, null, null, null, null]);
  expect(hear(forgotten, base, 1000).events).toEqual([]);
  expect(hear(forgotten, { ...base, smoke: true }, 1000).events).toHaveLength(1);
});
