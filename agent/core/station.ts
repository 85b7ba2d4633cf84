import { sensorKind } from '../../protocol/board-line.ts';
import type { EventBody } from '../../protocol/events.ts';
import {
  type BoardMemory,
  type BoardRun,
  boardMemory,
  boardRestarted,
  boardUp,
  settleLate,
  startBoard,
  unsettle,
} from './board.ts';
import {
  believed,
  type Health,
  type HealthConfig,
  type HealthStep,
  heard,
  overdue,
  reportedGone,
  startHealth,
  turned,
} from './health.ts';
import {
  type DoorView,
  distrustPeople,
  type PeopleConfig,
  type PeopleMemory,
  type PeopleState,
  peopleMemory,
  peopleQuietHour,
  peopleReading,
  peopleTick,
  rebasePeople,
  releasePeople,
  startPeople,
} from './people.ts';
import type { Moment, Reading } from './reading.ts';
import {
  type CounterSource,
  flushMachine,
  forgetMachine,
  type Machine,
  type MachineConfig,
  type MachineKind,
  type MachineMemory,
  machineMemory,
  ownFault,
  rebaseMachine,
  releaseMachine,
  type SaidEvent,
  settledRun,
  startMachine,
  stepMachine,
  tickMachine,
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
  board: string | null;
  health: Health;
  /** The source's count of rejected lines when this sensor was heard last. */
  rejectsWhenHeard: number;
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

export const emptyMemory: StationMemory = { sensors: {}, boards: {}, people: undefined };

export function startStation(
  sources: StationCore['sources'],
  memory: StationMemory,
  boot: string,
  nowMs: number,
): StationCore {
  const entries: [string, SensorEntry][] = [];
  for (const [sensor, known] of Object.entries(memory.sensors)) {
    if (!(known.source in sources)) continue;
    entries.push([sensor, newEntry(known.source, known.board, startMachine(known.machine.kind, known.machine), nowMs)]);
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
    people: startPeople(memory.people, nowMs),
  };
}

export function stationMemory(core: StationCore): StationMemory {
  const sensors = Object.entries(core.sensors).map(
    ([sensor, { source, board, machine }]) => [sensor, { source, board, machine: machineMemory(machine) }] as const,
  );
  const boards = Object.entries(core.boards).map(([id, run]) => [id, boardMemory(run)] as const);
  return {
    sensors: Object.fromEntries(sensors),
    boards: Object.fromEntries(boards),
    people: peopleMemory(core.people),
  };
}

export function stepStation(core: StationCore, input: StationInput, config: StationConfig): StationStep {
  switch (input.type) {
    case 'reading':
      return stepReading(core, input, config);
    case 'board-up':
      return stepBoardUp(core, input, config);
    case 'board-restarted':
      return restartBoard(core, input.board, (run) => boardRestarted(run, input.at, core.boot), input.at, config);
    case 'board-unsettled': {
      const run = core.boards[input.board];
      return quiet(run ? withBoard(core, input.board, unsettle(run, input.at.monoMs)) : core);
    }
    case 'rejected':
      return quiet({ ...core, rejects: { ...core.rejects, [input.source]: (core.rejects[input.source] ?? 0) + 1 } });
    case 'gone':
      return stepGone(core, input);
    case 'tick':
      return stepTick(core, input.at, config);
    case 'flush':
      return flush(core, input.at, config);
    case 'quiet-hour':
      return peopleStep(core, peopleQuietHour(core.people, doorView(core), input.at.monoMs, config.people));
  }
}

/** Doors as the people machine sees them: open if one is, null where one is not known. */
export function doorView(core: StationCore): DoorView {
  const doors = Object.values(core.sensors).flatMap(({ machine }) => (machine.kind === 'door' ? [machine.door] : []));
  const known = doors.filter((door) => door.kind !== 'unknown');
  if (known.length === 0 || known.length < doors.length) return null;
  return { open: known.some((door) => door.kind === 'open'), sinceMs: Math.max(...known.map((door) => door.sinceMs)) };
}

type ReadingInput = Extract<StationInput, { type: 'reading' }>;

function stepReading(core: StationCore, input: ReadingInput, config: StationConfig): StationStep {
  const { reading, source, at } = input;
  const entry = core.sensors[reading.sensor] ?? firstWord(core, input, config);
  if (typeof entry === 'string') return refusal(core, reading.sensor, source, entry);
  if (entry.source !== source) return refusal(core, reading.sensor, source, 'other-source');
  const board = input.board;
  const exchanged = entry.board !== null && entry.board !== board;
  const based = exchanged ? { ...core, people: rebasePeople(core.people, reading.sensor) } : core;
  const withRun =
    board !== null && !(board in core.boards)
      ? withBoard(based, board, startBoard(undefined, core.boot, at.monoMs))
      : based;
  const listened = listen(
    exchanged ? { ...entry, machine: rebaseMachine(entry.machine) } : entry,
    reading,
    withRun,
    input,
    config,
  );
  const next = withSensor(withRun, reading.sensor, listened.entry);
  const effects = [...listened.health, ...listened.said];
  if (reading.kind !== 'people' || !believed(listened.entry.health)) return { core: next, effects };
  const run = settledRun(counterSource(next, source, board));
  const people = peopleStep(next, peopleReading(next.people, reading, run, at.monoMs));
  return { core: people.core, effects: [...effects, ...people.effects] };
}

/** One entry hears its reading: health first, then its machine while it is believed. */
function listen(
  entry: SensorEntry,
  reading: Reading,
  core: StationCore,
  input: ReadingInput,
  config: StationConfig,
): { entry: SensorEntry; health: StationEffect[]; said: StationEffect[] } {
  const nowMs = input.at.monoMs;
  const said = heard(entry.health, nowMs, ownFault(reading), config.health);
  const heardEntry = {
    ...entry,
    board: input.board,
    health: said.health,
    rejectsWhenHeard: core.rejects[input.source] ?? 0,
  };
  const health = healthEffects(reading.sensor, said);
  if (!believed(said.health)) return { entry: heardEntry, health, said: [] };
  const source = counterSource(core, input.source, input.board);
  const step = stepMachine(entry.machine, reading, source, input.at, config);
  const stepped = { ...heardEntry, machine: step.machine };
  const effects = [...saidEffects(step.events), ...(differs(entry.machine, step.machine) ? [changed] : [])];
  if (reading.kind !== 'door' || step.events.length === 0) return { entry: stepped, health, said: effects };
  const turn = turned(stepped.health, nowMs, config.health);
  const settled = turn.changed ? { ...stepped, machine: forgetMachine(stepped.machine) } : stepped;
  return {
    entry: { ...settled, health: turn.health },
    health: [...health, ...healthEffects(reading.sensor, turn)],
    said: effects,
  };
}

function firstWord(core: StationCore, input: ReadingInput, config: StationConfig): SensorEntry | RefusalReason {
  const kind = machineKind(input.reading.sensor);
  if (kind !== input.reading.kind) return 'unknown-kind';
  if (Object.keys(core.sensors).length >= config.maxSensors) return 'too-many';
  return newEntry(input.source, input.board, startMachine(kind, undefined), input.at.monoMs);
}

function stepBoardUp(
  core: StationCore,
  input: Extract<StationInput, { type: 'board-up' }>,
  config: StationConfig,
): StationStep {
  const known = core.boards[input.board] ?? startBoard(undefined, core.boot, input.at.monoMs);
  const { run, restarted } = boardUp(known, input.upS, input.at, core.boot);
  if (!restarted) return quiet(withBoard(core, input.board, run));
  return restartBoard(core, input.board, () => run, input.at, config);
}

/** Says all that the board's counters gained, then starts its next generation. */
function restartBoard(
  core: StationCore,
  board: string,
  next: (run: BoardRun) => BoardRun,
  at: Moment,
  config: StationConfig,
): StationStep {
  const effects: StationEffect[] = [];
  let released = core;
  for (const [sensor, entry] of Object.entries(core.sensors)) {
    if (entry.board !== board) continue;
    const step = releaseMachine(entry.machine, sensor, at.monoMs, config);
    const people = peopleStep(
      withSensor(released, sensor, { ...entry, machine: step.machine }),
      releasePeople(released.people, sensor, at.monoMs),
    );
    released = people.core;
    effects.push(...saidEffects(step.events), ...people.effects);
  }
  const run = core.boards[board] ?? startBoard(undefined, core.boot, at.monoMs);
  return { core: withBoard(released, board, next(run)), effects };
}

function flush(core: StationCore, at: Moment, config: StationConfig): StationStep {
  const effects: StationEffect[] = [];
  let flushed = core;
  for (const [sensor, entry] of Object.entries(core.sensors)) {
    const step = flushMachine(entry.machine, sensor, at.monoMs, config);
    flushed = withSensor(flushed, sensor, { ...entry, machine: step.machine });
    effects.push(...saidEffects(step.events));
  }
  return { core: flushed, effects };
}

function stepGone(core: StationCore, input: Extract<StationInput, { type: 'gone' }>): StationStep {
  const entry = core.sensors[input.sensor];
  return entry
    ? lose(core, input.sensor, entry, reportedGone(entry.health, input.reason), input.at.monoMs)
    : quiet(core);
}

function stepTick(core: StationCore, at: Moment, config: StationConfig): StationStep {
  const nowMs = at.monoMs;
  let next = core;
  const effects: StationEffect[] = [];
  for (const [board, run] of Object.entries(core.boards)) {
    const settled = settleLate(run, nowMs, config.boardSettleMs);
    if (settled !== run) next = withBoard(next, board, settled);
  }
  for (const [sensor, entry] of Object.entries(core.sensors)) {
    const step = tickSensor(next, sensor, entry, nowMs, config);
    next = step.core;
    effects.push(...step.effects);
  }
  const people = peopleStep(next, peopleTick(next.people, doorView(next), nowMs, config.people));
  return { core: people.core, effects: [...effects, ...people.effects] };
}

function tickSensor(
  core: StationCore,
  sensor: string,
  entry: SensorEntry,
  nowMs: number,
  config: StationConfig,
): StationStep {
  const rejected = (core.rejects[entry.source] ?? 0) - entry.rejectsWhenHeard;
  const silentAfterMs = core.sources[entry.source]?.silentAfterMs ?? Number.POSITIVE_INFINITY;
  const step = overdue(entry.health, nowMs, silentAfterMs, rejected);
  if (step.changed) return lose(core, sensor, entry, step, nowMs);
  if (!believed(entry.health)) return quiet(core);
  const ticked = tickMachine(entry.machine, sensor, nowMs, config);
  if (ticked.machine === entry.machine && ticked.events.length === 0) return quiet(core);
  const effects = [...saidEffects(ticked.events), ...(differs(entry.machine, ticked.machine) ? [changed] : [])];
  return { core: withSensor(core, sensor, { ...entry, machine: ticked.machine }), effects };
}

/** A sensor is no longer believed: what it said is forgotten, so that nothing stale is reported. */
function lose(core: StationCore, sensor: string, entry: SensorEntry, step: HealthStep, nowMs: number): StationStep {
  const lost = withSensor(core, sensor, { ...entry, health: step.health, machine: forgetMachine(entry.machine) });
  const people =
    entry.machine.kind === 'people' ? { ...lost, people: distrustPeople(lost.people, sensor, nowMs) } : lost;
  return { core: people, effects: healthEffects(sensor, step) };
}

function peopleStep(core: StationCore, step: { state: PeopleState; events: EventBody[] }): StationStep {
  const moved = step.events.length > 0 || step.state.inside !== core.people.inside;
  const said = step.events.map((body): SaidEvent => ({ body, transition: true }));
  return { core: { ...core, people: step.state }, effects: [...saidEffects(said), ...(moved ? [changed] : [])] };
}

function healthEffects(sensor: string, step: HealthStep): StationEffect[] {
  if (!step.changed || step.health.word === 'unknown') return [];
  const body: EventBody = { kind: 'sensor', sensor, health: step.health.word, reason: step.health.reason };
  return [{ type: 'said', event: { body, transition: true } }, changed];
}

const changed: StationEffect = { type: 'changed' };

function saidEffects(events: readonly SaidEvent[]): StationEffect[] {
  return events.map((event) => ({ type: 'said', event }));
}

/** Whether a reader of the live state could tell the two apart at once; power alone waits for the beat. */
function differs(before: Machine, after: Machine): boolean {
  if (before.kind === 'door' && after.kind === 'door') return before.door !== after.door;
  if (before.kind === 'port' && after.kind === 'port') return before.port.state !== after.port.state;
  if (before.kind === 'water' && after.kind === 'water')
    return before.water.hot !== after.water.hot || before.water.cold !== after.water.cold;
  if (before.kind === 'env' && after.kind === 'env') return before.env.said !== after.env.said;
  return false;
}

function counterSource(core: StationCore, source: string, board: string | null): CounterSource {
  const run = board === null ? undefined : core.boards[board];
  if (core.sources[source]?.counters === 'meter' || !run) return { kind: 'meter' };
  return { kind: 'board', run };
}

/** `board` is no sensor of the station, and an unknown kind has no machine. */
function machineKind(sensor: string): MachineKind | null {
  const kind = sensorKind(sensor);
  return kind === 'board' ? null : kind;
}

function newEntry(source: string, board: string | null, machine: Machine, nowMs: number): SensorEntry {
  return { source, board, health: startHealth(nowMs), rejectsWhenHeard: 0, machine };
}

function withSensor(core: StationCore, sensor: string, entry: SensorEntry): StationCore {
  return { ...core, sensors: { ...core.sensors, [sensor]: entry } };
}

function withBoard(core: StationCore, board: string, run: BoardRun): StationCore {
  return { ...core, boards: { ...core.boards, [board]: run } };
}

function refusal(core: StationCore, sensor: string, source: string, why: RefusalReason): StationStep {
  return { core, effects: [{ type: 'refused-sensor', sensor, source, why }] };
}

function quiet(core: StationCore): StationStep {
  return { core, effects: [] };
}
