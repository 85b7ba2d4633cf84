import type { DoorAlarm, EventBody } from '../../protocol/events.ts';
import type { Moment, ReadingOf } from './reading.ts';

export type DoorConfig = { heldOpenMs: number };

export type DoorState =
  | { kind: 'unknown'; locked: boolean | null }
  | { kind: 'closed'; sinceMs: number; locked: boolean | null }
  | { kind: 'open'; sinceMs: number; locked: boolean | null; alarm: DoorAlarm | null };

export const initialDoor: DoorState = { kind: 'unknown', locked: null };

type Step = { state: DoorState; events: EventBody[] };

/** A door that is opened while it is still locked is forced. */
export function doorReading(state: DoorState, reading: ReadingOf<'door'>, at: Moment): Step {
  const locked = reading.locked ?? state.locked;
  const wasOpen = state.kind === 'open';
  const known = state.kind !== 'unknown';
  if (known && wasOpen === reading.open && state.locked === locked) return { state, events: [] };
  const moved = !known || wasOpen !== reading.open;
  const forced = known && moved && reading.open && state.locked === true && locked === true;
  const next = nextState(state, reading.open, locked, moved ? at.monoMs : null, forced);
  return { state: next, events: [doorEvent(reading.sensor, next)] };
}

/** Raises the held-open alarm once an opening. */
export function doorTick(state: DoorState, sensor: string, nowMs: number, config: DoorConfig): Step {
  if (state.kind !== 'open' || state.alarm !== null || nowMs - state.sinceMs < config.heldOpenMs)
    return { state, events: [] };
  const next: DoorState = { ...state, alarm: 'held-open' };
  return { state: next, events: [doorEvent(sensor, next)] };
}

function nextState(
  state: DoorState,
  open: boolean,
  locked: boolean | null,
  movedAtMs: number | null,
  forced: boolean,
): DoorState {
  const sinceMs = movedAtMs ?? (state.kind === 'unknown' ? 0 : state.sinceMs);
  if (!open) return { kind: 'closed', sinceMs, locked };
  const standing = movedAtMs === null && state.kind === 'open' ? state.alarm : null;
  return { kind: 'open', sinceMs, locked, alarm: forced ? 'forced' : standing };
}

function doorEvent(sensor: string, state: DoorState): EventBody {
  const locked = state.locked === null ? {} : { locked: state.locked };
  const alarm = state.kind === 'open' && state.alarm ? { alarm: state.alarm } : {};
  return { kind: 'door', sensor, open: state.kind === 'open', ...locked, ...alarm };
}
