import { startBoard } from './board.ts';
import { believed, heard, stirred, turned } from './health.ts';
import { peopleReading, rebasePeople } from './people.ts';
import type { Reading } from './reading.ts';
import { forgetMachine, ownFault, rebaseMachine, settledRun, startMachine, stepMachine } from './sensor.ts';
import {
  counterSource,
  machineKind,
  newEntry,
  type RefusalReason,
  type SensorEntry,
  type StationConfig,
  type StationCore,
  type StationEffect,
  type StationInput,
  type StationStep,
  withBoard,
  withSensor,
} from './station-core.ts';
import { changed, differs, healthEffects, peopleStep, saidEffects } from './station-effects.ts';

type ReadingInput = Extract<StationInput, { type: 'reading' }>;

export function stepReading(core: StationCore, input: ReadingInput, config: StationConfig): StationStep {
  const { reading, source, at } = input;
  if (machineKind(reading.sensor) !== reading.kind) return refusal(core, reading.sensor, source, 'unknown-kind');
  const entry = core.sensors[reading.sensor] ?? firstWord(core, input, config);
  if (typeof entry === 'string') return refusal(core, reading.sensor, source, entry);
  if (entry.source !== source) return refusal(core, reading.sensor, source, 'other-source');
  const board = input.board;
  const exchanged = entry.board !== board;
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
  const heardOpen = reading.kind === 'door' ? reading.open : null;
  const moved = entry.heardOpen !== heardOpen ? stirred(entry.health, nowMs) : entry.health;
  const said = heard(moved, nowMs, ownFault(reading), config.health);
  const heardEntry = {
    ...entry,
    board: input.board,
    health: said.health,
    rejectsWhenHeard: core.rejects[input.source] ?? 0,
    heardOpen,
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
  if (Object.keys(core.sensors).length >= config.maxSensors) return 'too-many';
  return newEntry(input.source, null, startMachine(input.reading.kind, undefined), input.at.monoMs);
}

function refusal(core: StationCore, sensor: string, source: string, why: RefusalReason): StationStep {
  return { core, effects: [{ type: 'refused-sensor', sensor, source, why }] };
}
