import type { EventBody } from '../../protocol/events.ts';
import type { BoardRun } from './board.ts';
import { type Advanced, advance, advanceMeter, type Counter, freshCounter, hold, type Settle } from './counter.ts';
import { type DoorConfig, type DoorState, doorReading, doorTick, initialDoor } from './door.ts';
import { type EnvConfig, type EnvState, envReading, forgetEnv, initialEnv } from './env.ts';
import {
  flushPort,
  forgetPort,
  type PortConfig,
  type PortMemory,
  type PortState,
  portReading,
  portTick,
  startPort,
} from './port.ts';
import type { Moment, Reading, ReadingOf } from './reading.ts';
import {
  flushWater,
  forgetWater,
  startWater,
  type WaterConfig,
  type WaterMemory,
  type WaterState,
  waterReading,
  waterTick,
} from './water.ts';

export type MachineConfig = { door: DoorConfig; water: WaterConfig; port: PortConfig; env: EnvConfig };

/** The machine of one sensor, by its kind. People sensors share the station's one (people.ts). */
export type Machine =
  | { kind: 'door'; door: DoorState }
  | { kind: 'water'; water: WaterState }
  | { kind: 'port'; port: PortState }
  | { kind: 'env'; env: EnvState }
  | { kind: 'button'; presses: Counter }
  | { kind: 'people' };

export type MachineKind = Machine['kind'];

/** What must outlive the agent's process: counters and what they gained unsaid. */
export type MachineMemory =
  | { kind: 'water'; water: WaterMemory }
  | { kind: 'port'; port: PortMemory }
  | { kind: 'button'; presses: Counter }
  | { kind: 'door' | 'env' | 'people' };

/** A transition is committed at once, a measurement within seconds. */
export type SaidEvent = { body: EventBody; transition: boolean };
export type MachineStep = { machine: Machine; events: SaidEvent[] };

/** Where a counter's readings come from: a board that restarts, or a meter that remembers. */
export type CounterSource = { kind: 'board'; run: BoardRun } | { kind: 'meter' };

export function startMachine(kind: MachineKind, memory: MachineMemory | undefined): Machine {
  switch (kind) {
    case 'door':
      return { kind, door: initialDoor };
    case 'water':
      return { kind, water: startWater(memory?.kind === 'water' ? memory.water : undefined) };
    case 'port':
      return { kind, port: startPort(memory?.kind === 'port' ? memory.port : undefined) };
    case 'env':
      return { kind, env: initialEnv };
    case 'button':
      return { kind, presses: memory?.kind === 'button' ? memory.presses : freshCounter };
    case 'people':
      return { kind };
  }
}

export function machineMemory(machine: Machine): MachineMemory {
  switch (machine.kind) {
    case 'water':
      return { kind: 'water', water: { ml: machine.water.ml, unsaidMl: machine.water.unsaidMl } };
    case 'port':
      return { kind: 'port', port: { mwh: machine.port.mwh, unsaidMwh: machine.port.unsaidMwh } };
    case 'button':
      return machine;
    case 'door':
    case 'env':
    case 'people':
      return { kind: machine.kind };
  }
}

/** One reading of the machine's own kind; a reading of another kind changes nothing. */
export function stepMachine(
  machine: Machine,
  reading: Reading,
  source: CounterSource,
  at: Moment,
  config: MachineConfig,
): MachineStep {
  if (machine.kind === 'door' && reading.kind === 'door') {
    const step = doorReading(machine.door, reading, at);
    return { machine: { kind: 'door', door: step.state }, events: step.events.map(transition) };
  }
  if (machine.kind === 'water' && reading.kind === 'water') {
    const step = waterReading(
      machine.water,
      reading,
      (counter, raw) => count(counter, raw, source, at.monoMs),
      at.monoMs,
      config.water,
    );
    return { machine: { kind: 'water', water: step.state }, events: step.events };
  }
  if (machine.kind === 'port' && reading.kind === 'port') {
    const step = portReading(
      machine.port,
      reading,
      (counter, raw) => count(counter, raw, source, at.monoMs),
      at.monoMs,
      config.port,
    );
    return { machine: { kind: 'port', port: step.state }, events: step.events };
  }
  if (machine.kind === 'env' && reading.kind === 'env') {
    const step = envReading(machine.env, reading, at.monoMs, config.env);
    return { machine: { kind: 'env', env: step.state }, events: step.events };
  }
  if (machine.kind === 'button' && reading.kind === 'button')
    return stepButton(machine.presses, reading, source, at.monoMs);
  return { machine, events: [] };
}

export function tickMachine(machine: Machine, sensor: string, nowMs: number, config: MachineConfig): MachineStep {
  if (machine.kind === 'door') {
    const step = doorTick(machine.door, sensor, nowMs, config.door);
    return { machine: { kind: 'door', door: step.state }, events: step.events.map(transition) };
  }
  if (machine.kind === 'water') {
    const step = waterTick(machine.water, sensor, nowMs, config.water);
    return { machine: { kind: 'water', water: step.state }, events: step.events };
  }
  if (machine.kind === 'port') {
    const step = portTick(machine.port, sensor, nowMs, config.port);
    return { machine: { kind: 'port', port: step.state }, events: step.events };
  }
  return { machine, events: [] };
}

/** The sensor is no longer believed: its state becomes unknown, its counters keep their place. */
export function forgetMachine(machine: Machine): Machine {
  if (machine.kind === 'door') return { kind: 'door', door: initialDoor };
  if (machine.kind === 'water') return { kind: 'water', water: forgetWater(machine.water) };
  if (machine.kind === 'port') return { kind: 'port', port: forgetPort(machine.port) };
  if (machine.kind === 'env') return { kind: 'env', env: forgetEnv(machine.env) };
  return machine;
}

/** Another board stands in for the one that counted: its first values are a baseline, not counts. */
export function rebaseMachine(machine: Machine): Machine {
  return withCounter(machine, () => freshCounter);
}

/** The machine with its counter changed, where it has one. */
export function withCounter(machine: Machine, change: (counter: Counter) => Counter): Machine {
  if (machine.kind === 'water') return { kind: 'water', water: { ...machine.water, ml: change(machine.water.ml) } };
  if (machine.kind === 'port') return { kind: 'port', port: { ...machine.port, mwh: change(machine.port.mwh) } };
  return machine.kind === 'button' ? { kind: 'button', presses: change(machine.presses) } : machine;
}

/** Says what is counted but unsaid, before the board's counters begin again or the agent stops. */
export function flushMachine(machine: Machine, sensor: string, nowMs: number, config: MachineConfig): MachineStep {
  if (machine.kind === 'water') {
    const step = flushWater(machine.water, sensor, nowMs, config.water);
    return { machine: { kind: 'water', water: step.state }, events: step.events };
  }
  if (machine.kind === 'port') {
    const step = flushPort(machine.port, sensor);
    return { machine: { kind: 'port', port: step.state }, events: step.events };
  }
  return { machine, events: [] };
}

/** The board is known again: a value that waited is counted now. */
export function settleMachine(machine: Machine, sensor: string, settle: Settle): MachineStep {
  if (machine.kind === 'button') return sayPresses(settle(machine.presses), sensor);
  if (machine.kind === 'water') {
    const { delta, counter } = settle(machine.water.ml);
    const unsaidMl = machine.water.unsaidMl + delta;
    return { machine: { kind: 'water', water: { ...machine.water, ml: counter, unsaidMl } }, events: [] };
  }
  if (machine.kind !== 'port') return { machine, events: [] };
  const { delta, counter } = settle(machine.port.mwh);
  const unsaidMwh = machine.port.unsaidMwh + delta;
  return { machine: { kind: 'port', port: { ...machine.port, mwh: counter, unsaidMwh } }, events: [] };
}

/** What the sensor says of itself: a reason, or null where all is well. */
export function ownFault(reading: Reading): string | null {
  const code = reading.kind === 'water' || reading.kind === 'port' ? (reading.fault ?? 0) : 0;
  return code === 0 ? null : `fault code ${code}`;
}

/** Null while the board may have restarted unseen. */
export function settledRun(source: CounterSource): BoardRun | null {
  return source.kind === 'board' && source.run.settled ? source.run : null;
}

function stepButton(presses: Counter, reading: ReadingOf<'button'>, source: CounterSource, nowMs: number): MachineStep {
  return sayPresses(count(presses, reading.sos, source, nowMs), reading.sensor);
}

function sayPresses({ delta, counter }: Advanced, sensor: string): MachineStep {
  const body: EventBody = { kind: 'sos', sensor, presses: delta };
  return { machine: { kind: 'button', presses: counter }, events: delta > 0 ? [transition(body)] : [] };
}

/** By what the counter's source is: a meter, or a board that runs on or may have restarted unseen. */
function count(counter: Counter, raw: number, source: CounterSource, nowMs: number): Advanced {
  if (source.kind === 'meter') return advanceMeter(counter, raw, nowMs);
  return source.run.settled ? advance(counter, raw, source.run, nowMs) : hold(counter, raw, nowMs);
}

function transition(body: EventBody): SaidEvent {
  return { body, transition: true };
}
