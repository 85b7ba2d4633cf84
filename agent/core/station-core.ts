import { sensorKind } from '../../protocol/board-line.ts';
import { type BoardMemory, type BoardRun, boardMemory, startBoard } from './board.ts';
import { afterReboot } from './counter.ts';
import { type Health, type HealthConfig, startHealth } from './health.ts';
import {
  type DoorView,
  type PeopleConfig,
  type PeopleMemory,
  type PeopleState,
  peopleMemory,
  startPeople,
  withPeopleCounters,
} from './people.ts';
import type { Moment, Reading } from './reading.ts';
import {
  type CounterSource,
  type Machine,
  type MachineConfig,
  type MachineKind,
  type MachineMemory,
  machineMemory,
  rebaseMachine,
  type SaidEvent,
  startMachine,
  withCounter,
} from './sensor.ts';

export type StationConfig = MachineConfig & {
  people: PeopleConfig;
  health: HealthConfig;
  /** Sensors beyond this many are refused: a garbled board must not fill the memory. */
  maxSensors: number;
  /** How long a board's counters wait for its `up=` after a start or a reconnect. */
  boardSettleMs: number;
};

/** One configured driver as the core sees it. */
export type SourceSpec = {
  counters: 'board' | 'meter';
  silentAfterMs: number;
  /** Sensors that are known to be there before they speak. */
  expects: readonly string[];
};

export type SensorEntry = {
  source: string;
  /** The board that its counters are of; null for a meter's, and before any was heard. */
  board: string | null;
  health: Health;
  /** The source's count of rejected lines when this sensor was heard last. */
  rejectsWhenHeard: number;
  /** What a door said last, believed or not; null for anything else. */
  heardOpen: boolean | null;
  machine: Machine;
};

/** Everything the agent knows of its station. Pure data: `stepStation` is the only way it changes. */
export type StationCore = {
  boot: string;
  sources: Readonly<Record<string, SourceSpec>>;
  rejects: Readonly<Record<string, number>>;
  boards: Readonly<Record<string, BoardRun>>;
  sensors: Readonly<Record<string, SensorEntry>>;
  people: PeopleState;
};

/** What outlives the agent's process, committed with the events that it explains. */
export type StationMemory = {
  /** The boot of the machine that the counters' times are of. */
  boot: string;
  sensors: Readonly<Record<string, { source: string; board: string | null; machine: MachineMemory }>>;
  boards: Readonly<Record<string, BoardMemory>>;
  people: PeopleMemory | undefined;
};

export type StationInput =
  | { type: 'reading'; at: Moment; source: string; board: string | null; reading: Reading }
  | { type: 'board-up'; at: Moment; board: string; upS: number }
  | { type: 'board-restarted'; at: Moment; board: string }
  | { type: 'board-unsettled'; at: Moment; board: string }
  | { type: 'rejected'; at: Moment; source: string }
  | { type: 'gone'; at: Moment; sensor: string; reason: string }
  | { type: 'tick'; at: Moment }
  | { type: 'quiet-hour'; at: Moment }
  /** The agent is about to stop: what was counted and not said is said now. */
  | { type: 'flush'; at: Moment };

export type RefusalReason = 'too-many' | 'other-source' | 'unknown-kind';

export type StationEffect =
  | { type: 'said'; event: SaidEvent }
  /** The live state differs from what was reported last. */
  | { type: 'changed' }
  | { type: 'refused-sensor'; sensor: string; source: string; why: RefusalReason };

export type StationStep = { core: StationCore; effects: StationEffect[] };

export const emptyMemory: StationMemory = { boot: '', sensors: {}, boards: {}, people: undefined };

export function startStation(
  sources: StationCore['sources'],
  memory: StationMemory,
  boot: string,
  nowMs: number,
): StationCore {
  const entries: [string, SensorEntry][] = [];
  for (const [sensor, known] of Object.entries(memory.sensors)) {
    const source = sourceExpecting(sources, sensor) ?? known.source;
    if (source in sources) entries.push([sensor, rememberedEntry(source, known, memory, boot, nowMs)]);
  }
  for (const [source, spec] of Object.entries(sources)) {
    for (const sensor of spec.expects) {
      const kind = machineKind(sensor);
      if (kind === null || entries.some(([name]) => name === sensor)) continue;
      entries.push([sensor, newEntry(source, null, startMachine(kind, undefined), nowMs)]);
    }
  }
  const boards = Object.entries(memory.boards).map(([id, run]): [string, BoardRun] => [
    id,
    startBoard(run, boot, nowMs),
  ]);
  return {
    boot,
    sources,
    rejects: {},
    boards: Object.fromEntries(boards),
    sensors: Object.fromEntries(entries),
    people: rememberedPeople(memory, boot, nowMs),
  };
}

/** What a counter stood at says something only of its own board, and of a run that is remembered. */
function rememberedEntry(
  source: string,
  known: StationMemory['sensors'][string],
  memory: StationMemory,
  boot: string,
  nowMs: number,
): SensorEntry {
  const machine = startMachine(known.machine.kind, known.machine);
  const run = known.board === null ? undefined : memory.boards[known.board];
  if (source !== known.source || (known.board !== null && !run))
    return newEntry(source, null, rebaseMachine(machine), nowMs);
  const dated = run && memory.boot !== boot ? withCounter(machine, (counter) => afterReboot(counter, run)) : machine;
  return newEntry(source, known.board, dated, nowMs);
}

function rememberedPeople(memory: StationMemory, boot: string, nowMs: number): PeopleState {
  let people = startPeople(memory.people, nowMs);
  if (memory.boot === boot) return people;
  for (const [sensor, { board }] of Object.entries(memory.sensors)) {
    const run = board === null ? undefined : memory.boards[board];
    if (run) people = withPeopleCounters(people, sensor, (counter) => afterReboot(counter, run));
  }
  return people;
}

/** The configuration's word goes before what a sensor was heard from. */
function sourceExpecting(sources: StationCore['sources'], sensor: string): string | undefined {
  return Object.keys(sources).find((source) => sources[source]?.expects.includes(sensor));
}

export function stationMemory(core: StationCore): StationMemory {
  const sensors = Object.entries(core.sensors).map(
    ([sensor, { source, board, machine }]) => [sensor, { source, board, machine: machineMemory(machine) }] as const,
  );
  const boards = Object.entries(core.boards).map(([id, run]) => [id, boardMemory(run)] as const);
  return {
    boot: core.boot,
    sensors: Object.fromEntries(sensors),
    boards: Object.fromEntries(boards),
    people: peopleMemory(core.people),
  };
}

/** Doors as the people machine sees them: open if one is, null where one is not known. */
export function doorView(core: StationCore): DoorView {
  const doors = Object.values(core.sensors).flatMap(({ machine }) => (machine.kind === 'door' ? [machine.door] : []));
  const known = doors.filter((door) => door.kind !== 'unknown');
  if (known.length === 0 || known.length < doors.length) return null;
  return { open: known.some((door) => door.kind === 'open'), sinceMs: Math.max(...known.map((door) => door.sinceMs)) };
}

/** `board` is no sensor of the station, and an unknown kind has no machine. */
export function machineKind(sensor: string): MachineKind | null {
  const kind = sensorKind(sensor);
  return kind === 'board' ? null : kind;
}

export function newEntry(source: string, board: string | null, machine: Machine, nowMs: number): SensorEntry {
  return { source, board, health: startHealth(nowMs), rejectsWhenHeard: 0, heardOpen: null, machine };
}

export function withSensor(core: StationCore, sensor: string, entry: SensorEntry): StationCore {
  return { ...core, sensors: { ...core.sensors, [sensor]: entry } };
}

export function withBoard(core: StationCore, board: string, run: BoardRun): StationCore {
  return { ...core, boards: { ...core.boards, [board]: run } };
}

export function counterSource(core: StationCore, source: string, board: string | null): CounterSource {
  const run = board === null ? undefined : core.boards[board];
  if (core.sources[source]?.counters === 'meter' || !run) return { kind: 'meter' };
  return { kind: 'board', run };
}
