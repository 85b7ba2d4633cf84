import type { Moment } from './reading.ts';

/**
 * What the agent knows of one board's run: its generation (one more at each restart, when its
 * counters begin again at 0) and when it last said how long it is up.
 *
 * While `settled` is false the board may have restarted unseen (the agent just started, the port
 * came back, or too many lines are missing); its counters wait until it says `up=`. Counters are
 * cumulative, so waiting loses nothing, while guessing could count a whole counter twice.
 */
export type BoardRun = BoardMemory & { settled: boolean; unsettledSinceMs: number };

/** What must outlive the agent's process. */
export type BoardMemory = {
  generation: number;
  /** A counter last read after this belongs to this generation already; null: none does. */
  bootedAtMs: number | null;
  upS: number | null;
  upAt: Moment;
  /** The machine boot that the monotonic times belong to. */
  boot: string;
};

/** Boards keep time by cheap crystals: 2 % and this much are no restart. */
const toleranceS = 5;
const drift = 0.02;

/** @param memory undefined for a board never seen before: its counters have no past to mistake */
export function startBoard(memory: BoardMemory | undefined, boot: string, nowMs: number): BoardRun {
  const first: BoardMemory = {
    generation: 0,
    bootedAtMs: null,
    upS: null,
    upAt: { monoMs: nowMs, wallMs: null },
    boot,
  };
  return { ...(memory ?? first), settled: memory === undefined, unsettledSinceMs: nowMs };
}

export function boardMemory(run: BoardRun): BoardMemory {
  const { settled: _settled, unsettledSinceMs: _since, ...memory } = run;
  return memory;
}

/** The port went away or came back, or lines are missing: the board may have restarted meanwhile. */
export function unsettle(run: BoardRun, nowMs: number): BoardRun {
  return { ...run, settled: false, unsettledSinceMs: nowMs };
}

/** The board's line counter began again: a restart, seen on the first line after it. */
export function boardRestarted(run: BoardRun, at: Moment, boot: string): BoardRun {
  return { ...run, generation: run.generation + 1, bootedAtMs: null, upS: 0, upAt: at, boot, settled: true };
}

/** The board says how long it is up. Less than it must be means a restart that no line showed. */
export function boardUp(run: BoardRun, upS: number, at: Moment, boot: string): { run: BoardRun; restarted: boolean } {
  const said = { ...run, upS, upAt: at, boot, settled: true };
  if (run.upS === null) return { run: said, restarted: false };
  const leastS = run.settled ? run.upS : leastUpS(run, run.upS, at, boot);
  if (upS >= leastS) return { run: said, restarted: false };
  const bootedAtMs = at.monoMs - (upS + 1) * 1000;
  return { run: { ...said, generation: run.generation + 1, bootedAtMs }, restarted: true };
}

/** After `waitMs` without `up=`, a board that never says it is taken as it is. */
export function settleLate(run: BoardRun, nowMs: number, waitMs: number): BoardRun {
  return run.settled || nowMs - run.unsettledSinceMs < waitMs ? run : { ...run, settled: true };
}

function leastUpS(run: BoardRun, lastUpS: number, at: Moment, boot: string): number {
  const elapsedMs = run.boot === boot ? at.monoMs - run.upAt.monoMs : wallBetween(run.upAt, at);
  return elapsedMs === null ? lastUpS : lastUpS + (Math.max(0, elapsedMs) / 1000) * (1 - drift) - toleranceS;
}

function wallBetween(from: Moment, to: Moment): number | null {
  return from.wallMs === null || to.wallMs === null ? null : to.wallMs - from.wallMs;
}
