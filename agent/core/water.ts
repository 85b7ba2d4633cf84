import type { EventBody } from '../../protocol/events.ts';
import type { Supply, WaterPart } from '../../protocol/state.ts';
import { type Count, type Counter, freshCounter } from './counter.ts';
import type { ReadingOf } from './reading.ts';

export type WaterConfig = {
  /** Hot water is available from this temperature on, and until it falls `hysteresisC` below. */
  hotMinC: number;
  /** Cold water is available up to this temperature, and until it rises `hysteresisC` above. */
  coldMaxC: number;
  hysteresisC: number;
  /** Below this level nothing can be drawn, %. */
  minTankPct: number;
  measureEveryMs: number;
};

type Measures = {
  tankPct: number | null;
  hotC: number | null;
  coldC: number | null;
  fault: number | null;
  filterPct: number | null;
  leak: boolean | null;
};

/** One dispenser: what it measures now, what can be drawn, and what the last event said. */
export type WaterState = {
  now: Measures;
  hot: Supply;
  cold: Supply;
  ml: Counter;
  /** Dispensed since the last event. */
  unsaidMl: number;
  said: Measures | null;
  saidAtMs: number;
};

export type WaterMemory = { ml: Counter; unsaidMl: number };

const nothing: Measures = { tankPct: null, hotC: null, coldC: null, fault: null, filterPct: null, leak: null };

type Step = { state: WaterState; events: { body: EventBody; transition: boolean }[] };

export function startWater(memory: WaterMemory | undefined): WaterState {
  const { ml, unsaidMl } = memory ?? { ml: freshCounter, unsaidMl: 0 };
  return { now: nothing, hot: 'unknown', cold: 'unknown', ml, unsaidMl, said: null, saidAtMs: 0 };
}

export function waterReading(
  state: WaterState,
  reading: ReadingOf<'water'>,
  count: Count,
  nowMs: number,
  config: WaterConfig,
): Step {
  const now: Measures = {
    tankPct: reading.tankPct ?? null,
    hotC: reading.hotC ?? null,
    coldC: reading.coldC ?? null,
    fault: reading.fault ?? null,
    filterPct: reading.filterPct ?? null,
    leak: reading.leak ?? null,
  };
  const drawn = reading.ml === undefined ? { delta: 0, counter: state.ml } : count(state.ml, reading.ml);
  const next: WaterState = {
    ...state,
    now,
    hot: supply(state.hot, now, now.hotC, (celsius, margin) => celsius >= config.hotMinC - margin, config),
    cold: supply(state.cold, now, now.coldC, (celsius, margin) => celsius <= config.coldMaxC + margin, config),
    ml: drawn.counter,
    unsaidMl: state.unsaidMl + drawn.delta,
  };
  return say(next, reading.sensor, hasTurned(state, next), nowMs, config);
}

/** Says a measurement that had to wait for its turn. */
export function waterTick(state: WaterState, sensor: string, nowMs: number, config: WaterConfig): Step {
  return state.said === null ? { state, events: [] } : say(state, sensor, false, nowMs, config);
}

/** Silent or noisy: nothing of it is known, its counter keeps its place. */
export function forgetWater(state: WaterState): WaterState {
  return { ...state, now: nothing, hot: 'unknown', cold: 'unknown' };
}

export function waterPart(sensor: string, state: WaterState): WaterPart {
  return { sensor, hot: state.hot, cold: state.cold, ...state.now };
}

function supply(
  before: Supply,
  now: Measures,
  celsius: number | null,
  warmEnough: (celsius: number, margin: number) => boolean,
  config: WaterConfig,
): Supply {
  if (now.fault !== null && now.fault !== 0) return 'unavailable';
  if (now.leak === true) return 'unavailable';
  if (now.tankPct !== null && now.tankPct < config.minTankPct) return 'unavailable';
  if (celsius === null) return 'unknown';
  return warmEnough(celsius, before === 'available' ? config.hysteresisC : 0) ? 'available' : 'unavailable';
}

function hasTurned(before: WaterState, after: WaterState): boolean {
  return (
    before.said === null ||
    before.hot !== after.hot ||
    before.cold !== after.cold ||
    before.now.fault !== after.now.fault ||
    before.now.leak !== after.now.leak
  );
}

function say(state: WaterState, sensor: string, transition: boolean, nowMs: number, config: WaterConfig): Step {
  const due = nowMs - state.saidAtMs >= config.measureEveryMs && (state.unsaidMl > 0 || differs(state.now, state.said));
  if (!transition && !due) return { state, events: [] };
  const { leak, ...measures } = state.now;
  const body: EventBody = { kind: 'water', sensor, ...measures, leak, ml: state.unsaidMl };
  return { state: { ...state, unsaidMl: 0, said: state.now, saidAtMs: nowMs }, events: [{ body, transition }] };
}

/** A change that is worth a row in history. */
function differs(now: Measures, said: Measures | null): boolean {
  if (said === null) return true;
  return (
    far(now.tankPct, said.tankPct, 5) ||
    far(now.hotC, said.hotC, 3) ||
    far(now.coldC, said.coldC, 3) ||
    far(now.filterPct, said.filterPct, 1)
  );
}

function far(a: number | null, b: number | null, step: number): boolean {
  return a === null || b === null ? a !== b : Math.abs(a - b) >= step;
}

/** Says at once what was drawn so far: before the counter begins again. */
export function flushWater(state: WaterState, sensor: string, nowMs: number, config: WaterConfig): Step {
  return state.unsaidMl === 0 ? { state, events: [] } : say(state, sensor, true, nowMs, config);
}
