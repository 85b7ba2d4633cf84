import type { EventBody, PortState as PortWord } from '../../protocol/events.ts';
import type { PortPart } from '../../protocol/state.ts';
import { type Count, type Counter, freshCounter } from './counter.ts';
import type { ReadingOf } from './reading.ts';

export type PortConfig = {
  /** At or above this power a device charges, mW. */
  chargingMw: number;
  /** Below this a device that charged is full, mW. */
  fullMw: number;
  /** Below this nothing is plugged in, mW. */
  idleMw: number;
  /** Above this the port is faulty, mW. */
  overloadMw: number;
  chargingAfterMs: number;
  fullAfterMs: number;
  freeAfterMs: number;
  measureEveryMs: number;
};

/** What the power says right now, before it has lasted. */
type Band = 'idle' | 'trickle' | 'middle' | 'charging';

/**
 * One charging port. A band has to last before the state follows it (hysteresis in power and in
 * time): a phone that negotiates, or a meter that flickers, changes nothing.
 */
export type PortState = {
  state: PortWord | 'unknown';
  mw: number | null;
  band: Band;
  bandSinceMs: number;
  mwh: Counter;
  /** Delivered since the last event. */
  unsaidMwh: number;
  saidMw: number | null;
  saidAtMs: number;
};

export type PortMemory = { mwh: Counter; unsaidMwh: number };

type Step = { state: PortState; events: { body: EventBody; transition: boolean }[] };

export function startPort(memory: PortMemory | undefined): PortState {
  const { mwh, unsaidMwh } = memory ?? { mwh: freshCounter, unsaidMwh: 0 };
  return { state: 'unknown', mw: null, band: 'idle', bandSinceMs: 0, mwh, unsaidMwh, saidMw: null, saidAtMs: 0 };
}

export function portReading(
  state: PortState,
  reading: ReadingOf<'port'>,
  count: Count,
  nowMs: number,
  config: PortConfig,
): Step {
  const band = bandOf(reading.mw, config);
  const energy = reading.mwh === undefined ? { delta: 0, counter: state.mwh } : count(state.mwh, reading.mwh);
  const measured: PortState = {
    ...state,
    mw: reading.mw,
    band,
    bandSinceMs: band === state.band && state.state !== 'unknown' ? state.bandSinceMs : nowMs,
    mwh: energy.counter,
    unsaidMwh: state.unsaidMwh + energy.delta,
  };
  const faulty = (reading.fault ?? 0) !== 0 || reading.mw > config.overloadMw;
  const word = faulty ? 'fault' : settledWord(measured, nowMs, config);
  return turn(measured, reading.sensor, word, nowMs, config);
}

/** Lets a band that lasts take effect, and says a measurement that had to wait. */
export function portTick(state: PortState, sensor: string, nowMs: number, config: PortConfig): Step {
  if (state.state === 'unknown') return { state, events: [] };
  const word = state.state === 'fault' ? 'fault' : settledWord(state, nowMs, config);
  return turn(state, sensor, word, nowMs, config);
}

/** Silent or noisy: nothing of it is known, its counter keeps its place. */
export function forgetPort(state: PortState): PortState {
  return { ...state, state: 'unknown', mw: null };
}

export function portPart(sensor: string, state: PortState): PortPart {
  return { sensor, state: state.state, mw: state.mw };
}

function bandOf(mw: number, config: PortConfig): Band {
  if (mw < config.idleMw) return 'idle';
  if (mw < config.fullMw) return 'trickle';
  return mw < config.chargingMw ? 'middle' : 'charging';
}

/** The state that the band stands for once it has lasted, or at once where nothing was known. */
function settledWord(state: PortState, nowMs: number, config: PortConfig): PortWord {
  const { word, afterMs } = meaning(state, config);
  if (state.state === 'unknown' || state.state === 'fault') return word;
  return nowMs - state.bandSinceMs >= afterMs ? word : state.state;
}

function meaning(state: PortState, config: PortConfig): { word: PortWord; afterMs: number } {
  switch (state.band) {
    case 'idle':
      return { word: 'free', afterMs: config.freeAfterMs };
    case 'trickle':
      return { word: 'full', afterMs: config.fullAfterMs };
    case 'middle':
      return { word: state.state === 'full' ? 'full' : 'charging', afterMs: config.chargingAfterMs };
    case 'charging':
      return { word: 'charging', afterMs: config.chargingAfterMs };
  }
}

function turn(state: PortState, sensor: string, word: PortWord, nowMs: number, config: PortConfig): Step {
  const transition = word !== state.state;
  const changed =
    state.unsaidMwh > 0 || state.saidMw === null || Math.abs((state.mw ?? 0) - state.saidMw) >= config.fullMw;
  const due = changed && nowMs - state.saidAtMs >= config.measureEveryMs;
  if (!transition && !due) return { state, events: [] };
  const body: EventBody = { kind: 'port', sensor, state: word, mw: state.mw, mwh: state.unsaidMwh };
  return {
    state: { ...state, state: word, unsaidMwh: 0, saidMw: state.mw, saidAtMs: nowMs },
    events: [{ body, transition }],
  };
}

/** Says at once what was delivered so far: before the counter begins again. */
export function flushPort(state: PortState, sensor: string): Step {
  if (state.unsaidMwh === 0 || state.state === 'unknown') return { state, events: [] };
  const body: EventBody = { kind: 'port', sensor, state: state.state, mw: state.mw, mwh: state.unsaidMwh };
  return { state: { ...state, unsaidMwh: 0 }, events: [{ body, transition: true }] };
}
