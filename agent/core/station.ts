import { type BoardRun, boardRestarted, boardUp, settleLate, startBoard, unsettle } from './board.ts';
import { release, resume, type Settle } from './counter.ts';
import { believed, type HealthStep, overdue, reportedGone } from './health.ts';
import { distrustPeople, peopleQuietHour, peopleTick, settlePeople } from './people.ts';
import type { Moment } from './reading.ts';
import { flushMachine, forgetMachine, settleMachine, tickMachine } from './sensor.ts';
import {
  doorView,
  type SensorEntry,
  type StationConfig,
  type StationCore,
  type StationEffect,
  type StationInput,
  type StationStep,
  withBoard,
  withSensor,
} from './station-core.ts';
import { changed, differs, healthEffects, peopleStep, quiet, saidEffects } from './station-effects.ts';
import { stepReading } from './station-reading.ts';

export function stepStation(core: StationCore, input: StationInput, config: StationConfig): StationStep {
  switch (input.type) {
    case 'reading':
      return stepReading(core, input, config);
    case 'board-up':
      return stepBoardUp(core, input, config);
    case 'board-restarted':
      return stepBoardRestarted(core, input, config);
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

function stepBoardUp(
  core: StationCore,
  input: Extract<StationInput, { type: 'board-up' }>,
  config: StationConfig,
): StationStep {
  const known = core.boards[input.board] ?? startBoard(undefined, core.boot, input.at.monoMs);
  const { run, restarted } = boardUp(known, input.upS, input.at, core.boot);
  if (!run.settled || (known.settled && !restarted)) return quiet(withBoard(core, input.board, run));
  return knowBoard(core, input.board, run, input.at, config);
}

function stepBoardRestarted(
  core: StationCore,
  input: Extract<StationInput, { type: 'board-restarted' }>,
  config: StationConfig,
): StationStep {
  const known = core.boards[input.board] ?? startBoard(undefined, core.boot, input.at.monoMs);
  return knowBoard(core, input.board, boardRestarted(known, input.at, core.boot), input.at, config);
}

/** Counts what the board's sensors held while it was in doubt, and says what a run gained before the next one begins. */
function knowBoard(core: StationCore, board: string, run: BoardRun, at: Moment, config: StationConfig): StationStep {
  const before = core.boards[board] ?? run;
  const begins = run.generation !== before.generation;
  const settle: Settle = (counter) =>
    begins ? release(counter, before, run, at.monoMs) : resume(counter, run, at.monoMs);
  const effects: StationEffect[] = [];
  let next = core;
  for (const [sensor, entry] of Object.entries(core.sensors)) {
    if (entry.board !== board) continue;
    const settled = settleMachine(entry.machine, sensor, settle);
    const said = begins ? flushMachine(settled.machine, sensor, at.monoMs, config) : { ...settled, events: [] };
    const people = peopleStep(
      withSensor(next, sensor, { ...entry, machine: said.machine }),
      settlePeople(next.people, sensor, settle, at.monoMs),
    );
    next = people.core;
    effects.push(...saidEffects([...settled.events, ...said.events]), ...people.effects);
  }
  return { core: withBoard(next, board, run), effects };
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
    const settled = settleLate(run, nowMs, config.boardSettleMs, core.boot);
    if (settled === run) continue;
    const step = knowBoard(next, board, settled, at, config);
    next = step.core;
    effects.push(...step.effects);
  }
  for (const [sensor, entry] of Object.entries(next.sensors)) {
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
