import type { EventBody } from '../../protocol/events.ts';
import type { ReadingOf } from './reading.ts';

export type EnvConfig = { measureEveryMs: number };

type Air = {
  tempC: number | null;
  rhPct: number | null;
  co2Ppm: number | null;
  smoke: boolean | null;
  flood: boolean | null;
  mains: boolean | null;
};

/** The room: smoke, flood and mains power are said at once, the air from time to time. */
export type EnvState = { now: Air; said: Air | null; saidAtMs: number };

const nothing: Air = { tempC: null, rhPct: null, co2Ppm: null, smoke: null, flood: null, mains: null };

export const initialEnv: EnvState = { now: nothing, said: null, saidAtMs: 0 };

type Step = { state: EnvState; events: { body: EventBody; transition: boolean }[] };

export function envReading(state: EnvState, reading: ReadingOf<'env'>, nowMs: number, config: EnvConfig): Step {
  const now: Air = {
    tempC: reading.tempC ?? null,
    rhPct: reading.rhPct ?? null,
    co2Ppm: reading.co2Ppm ?? null,
    smoke: reading.smoke ?? null,
    flood: reading.flood ?? null,
    mains: reading.mains ?? null,
  };
  const said = state.said;
  const transition = said === null || now.smoke !== said.smoke || now.flood !== said.flood || now.mains !== said.mains;
  const due = said !== null && nowMs - state.saidAtMs >= config.measureEveryMs && drifted(now, said);
  if (!transition && !due) return { state: { ...state, now }, events: [] };
  const body: EventBody = { kind: 'env', sensor: reading.sensor, ...now };
  return { state: { now, said: now, saidAtMs: nowMs }, events: [{ body, transition }] };
}

export function forgetEnv(state: EnvState): EnvState {
  return { ...state, now: nothing };
}

function drifted(now: Air, said: Air): boolean {
  return far(now.tempC, said.tempC, 1) || far(now.rhPct, said.rhPct, 5) || far(now.co2Ppm, said.co2Ppm, 100);
}

function far(a: number | null, b: number | null, step: number): boolean {
  return a === null || b === null ? a !== b : Math.abs(a - b) >= step;
}
