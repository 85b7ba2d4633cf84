import { expect, test } from 'vitest';
import { advanceMeter, type Count } from '../../../agent/core/counter.ts';
import {
  flushWater,
  forgetWater,
  startWater,
  type WaterState,
  waterPart,
  waterReading,
  waterTick,
} from '../../../agent/core/water.ts';

const config = { hotMinC: 75, coldMaxC: 20, hysteresisC: 10, minTankPct: 5, measureEveryMs: 300_000 };
const count: Count = (counter, raw) => advanceMeter(counter, raw, 0);

type Told = {
  tankPct?: number;
  hotC?: number;
  coldC?: number;
  ml?: number;
  leak?: boolean;
  fault?: number;
  filterPct?: number;
};
const fine = { tankPct: 80, hotC: 90, coldC: 9, leak: false, fault: 0, filterPct: 60 };

function hear(state: WaterState, told: Told, nowMs = 1000) {
  return waterReading(state, { kind: 'water', sensor: 'water', ...told }, count, nowMs, config);
}
/** A dispenser that spoke at 0 s and said so; nothing is drawn yet. */
const running = hear(startWater(undefined), { ...fine, ml: 1000 }, 0).state;
const hotAfter = (...temperatures: number[]) =>
  temperatures.reduce((state, hotC) => hear(state, { ...fine, hotC }).state, startWater(undefined)).hot;
const coldAfter = (...temperatures: number[]) =>
  temperatures.reduce((state, coldC) => hear(state, { ...fine, coldC }).state, startWater(undefined)).cold;

test.each<{ told: Told; hot: string; cold: string }>([
  { told: fine, hot: 'available', cold: 'available' },
  { told: { ...fine, hotC: 74.9, coldC: 20.1 }, hot: 'unavailable', cold: 'unavailable' },
  { told: { ...fine, hotC: 75, coldC: 20 }, hot: 'available', cold: 'available' },
  { told: { ...fine, tankPct: 4.9 }, hot: 'unavailable', cold: 'unavailable' },
  { told: { ...fine, tankPct: 5 }, hot: 'available', cold: 'available' },
  { told: { ...fine, fault: 3 }, hot: 'unavailable', cold: 'unavailable' },
  { told: { ...fine, leak: true }, hot: 'unavailable', cold: 'unavailable' },
  { told: { hotC: 90 }, hot: 'available', cold: 'unknown' },
  { told: { tankPct: 80 }, hot: 'unknown', cold: 'unknown' },
  { told: { tankPct: 0 }, hot: 'unavailable', cold: 'unavailable' },
  { told: {}, hot: 'unknown', cold: 'unknown' },
])('$told: hot water is $hot, cold is $cold', ({ told, hot, cold }) => {
  expect(hear(startWater(undefined), told).state).toMatchObject({ hot, cold });
});

test('a boiler that a cup cooled stays available, and one that heats up is not before it is hot', () => {
  expect(hotAfter(90, 65)).toBe('available');
  expect(hotAfter(90, 64.9)).toBe('unavailable');
  expect(hotAfter(90, 64.9, 74.9)).toBe('unavailable');
  expect(hotAfter(90, 64.9, 75)).toBe('available');
  expect(coldAfter(9, 30)).toBe('available');
  expect(coldAfter(9, 30.1)).toBe('unavailable');
  expect(coldAfter(9, 30.1, 20.1)).toBe('unavailable');
});

test.each<{ what: string; told: Told }>([
  { what: 'hot water ends', told: { hotC: 40 } },
  { what: 'cold water ends', told: { coldC: 40 } },
  { what: 'a fault', told: { fault: 2 } },
  { what: 'a leak', told: { leak: true } },
])('$what is said at once, with what was drawn until then', ({ told }) => {
  const step = hear(running, { ...fine, ...told, ml: 1240 }, 1000);
  const body = { kind: 'water', sensor: 'water', ...fine, ...told, ml: 240 };
  expect(step.events).toEqual([{ body, transition: true }]);
  expect(step.state.unsaidMl).toBe(0);
});

test.each<{ what: string; told: Told }>([
  { what: 'another fault', told: { fault: 3 } },
  { what: 'a leak on top', told: { fault: 2, leak: true } },
])('$what is said at once, although nothing could be drawn before', ({ told }) => {
  const faulty = hear(running, { ...fine, fault: 2 }, 1000).state;
  expect(hear(faulty, { ...fine, ...told }, 2000).events).toMatchObject([{ body: told, transition: true }]);
});

test('the first word is said at once; what it lacks is null', () => {
  const nothing = { tankPct: null, coldC: null, fault: null, filterPct: null, leak: null };
  expect(hear(startWater(undefined), { hotC: 91.5 }).events).toEqual([
    { body: { kind: 'water', sensor: 'water', ...nothing, hotC: 91.5, ml: 0 }, transition: true },
  ]);
});

test.each<{ what: string; told: Told; due: boolean }>([
  { what: 'a cup', told: { ml: 1001 }, due: true },
  { what: 'nothing', told: {}, due: false },
  { what: 'a sinking tank', told: { tankPct: 75 }, due: true },
  { what: 'a tank that hardly sinks', told: { tankPct: 75.1 }, due: false },
  { what: 'cooler hot water', told: { hotC: 87 }, due: true },
  { what: 'hardly cooler hot water', told: { hotC: 87.1 }, due: false },
  { what: 'warmer cold water', told: { coldC: 12 }, due: true },
  { what: 'a filter', told: { filterPct: 59 }, due: true },
  { what: 'a filter that hardly ages', told: { filterPct: 59.5 }, due: false },
])('$what is a measurement at most every measureEveryS: $due', ({ told, due }) => {
  const early = hear(running, { ...fine, ml: 1000, ...told }, 299_999);
  expect(early.events).toEqual([]);
  expect(waterTick(early.state, 'water', 299_999, config).events).toEqual([]);
  const late = waterTick(early.state, 'water', 300_000, config);
  expect(late.events.map(({ transition }) => transition)).toEqual(due ? [false] : []);
  expect(waterTick(late.state, 'water', 300_001, config).events).toEqual([]);
});

test('litres of many readings are said together, once', () => {
  let state = running;
  for (const ml of [1100, 1250, 1250, 1490]) state = hear(state, { ...fine, ml }, 60_000).state;
  const step = waterTick(state, 'water', 300_000, config);
  expect(step.events).toMatchObject([{ body: { ml: 490 }, transition: false }]);
  const more = hear(step.state, { ...fine, ml: 1500 }, 599_999);
  expect(more.events).toEqual([]);
  expect(waterTick(more.state, 'water', 600_000, config).events).toMatchObject([{ body: { ml: 10 } }]);
});

test('a dispenser without a meter dispenses 0', () => {
  expect(hear(running, { ...fine, hotC: 40 }).events).toMatchObject([{ body: { ml: 0 } }]);
});

test('a forgotten dispenser is unknown and keeps what it drew', () => {
  const forgotten = forgetWater(hear(running, { ...fine, ml: 1200 }).state);
  const { sensor, hot, cold, ...measures } = waterPart('water', forgotten);
  expect({ sensor, hot, cold }).toEqual({ sensor: 'water', hot: 'unknown', cold: 'unknown' });
  expect(Object.values(measures)).toEqual([null, null, null, null, null, null]);
  // 70 °C were enough for hot water that stood; what stands is not known any more.
  const back = hear(forgotten, { ...fine, hotC: 70, ml: 1300 }, 2000);
  expect(back.state.hot).toBe('unavailable');
  expect(back.events).toMatchObject([{ body: { ml: 300 }, transition: true }]);
});

test('a flush says what was drawn at once, and nothing where nothing was', () => {
  const drawn = hear(running, { ...fine, ml: 1005 }, 2000).state;
  const step = flushWater(drawn, 'water', 3000, config);
  expect(step.events).toMatchObject([{ body: { ml: 5 }, transition: true }]);
  expect(flushWater(step.state, 'water', 4000, config).events).toEqual([]);
});

test('what was drawn and not said outlives the process, and waits for the first word', () => {
  const { ml, unsaidMl } = hear(running, { ...fine, ml: 1100 }).state;
  const started = startWater({ ml, unsaidMl });
  expect(started).toMatchObject({ hot: 'unknown', unsaidMl: 100 });
  expect(waterTick(started, 'water', 900_000, config).events).toEqual([]);
  expect(hear(started, { ...fine, ml: 1130 }, 900_000).events).toMatchObject([{ body: { ml: 130 } }]);
});
