import type { Moment } from './reading.ts';

/**
 * What the agent knows of one board's run: its generation (one more at each restart, when its
 * counters begin again at 0) and when it last said how long it is up.
 *
 * While `settled` is false the board may have restarted unseen (the agent just started, the port
 * came back, or too many lines are missing); its counters wait until it says `up=`. Counters are
 * cumulative, so waiting loses nothing, while guessing could count a whole counter twice.
 */
export type BoardRun = BoardMemory & {
  settled: boolean;
  unsettledSinceMs: number;
  /** The last `up=` in doubt that was less than it must be: of a restart, or of lines that were long under way. */
  doubted: { upS: number; at: Moment } | null;
};

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
/** `up=` tells whole seconds, and a line takes its time on the wire. */
const paceToleranceS = 1.5;

/** @param memory undefined for a board never seen before: its counters have no past to mistake */
export function startBoard(memory: BoardMemory | undefined, boot: string, nowMs: number): BoardRun {
  const first: BoardMemory = {
    generation: 0,
    bootedAtMs: null,
    upS: null,
    upAt: { monoMs: nowMs, wallMs: null },
    boot,
  };
  return { ...(memory ?? first), settled: memory === undefined, unsettledSinceMs: nowMs, doubted: null };
}

export function boardMemory(run: BoardRun): BoardMemory {
  const { settled: _settled, unsettledSinceMs: _since, doubted: _doubted, ...memory } = run;
  return memory;
}

/** The port went away or came back, or lines are missing: the board may have restarted meanwhile. */
export function unsettle(run: BoardRun, nowMs: number): BoardRun {
  return { ...run, settled: false, unsettledSinceMs: nowMs, doubted: null };
}

/** The board's line counter began again: a restart, seen on the first line after it. */
export function boardRestarted(run: BoardRun, at: Moment, boot: string): BoardRun {
  return {
    ...run,
    generation: run.generation + 1,
    bootedAtMs: null,
    upS: 0,
    upAt: at,
    boot,
    settled: true,
    doubted: null,
  };
}

/**
 * The board says how long it is up. Less than before means a restart that no line showed. Less than it
 * must be by now may also be a line that was long under way (a serial server that stalled, a process
 * that did not run): lines of a backlog come faster than their `up=` grows, so the doubt stays until
 * one comes at the pace at which it is said.
 */
export function boardUp(run: BoardRun, upS: number, at: Moment, boot: string): { run: BoardRun; restarted: boolean } {
  const said = { ...run, upS, upAt: at, boot, settled: true, doubted: null };
  if (run.upS === null) return { run: said, restarted: false };
  const leastS = run.settled ? run.upS : leastUpS(run, run.upS, at, boot);
  if (upS >= leastS) return { run: said, restarted: false };
  if (upS > run.upS && !isCurrent(run.doubted, upS, at))
    return { run: { ...run, unsettledSinceMs: at.monoMs, doubted: { upS, at } }, restarted: false };
  const bootedAtMs = at.monoMs - (upS + 1) * 1000;
  return { run: { ...said, generation: run.generation + 1, bootedAtMs }, restarted: true };
}

/** As much time went by between two words as they say. */
function isCurrent(doubted: BoardRun['doubted'], upS: number, at: Moment): boolean {
  if (doubted === null || upS <= doubted.upS) return false;
  return (at.monoMs - doubted.at.monoMs) / 1000 >= upS - doubted.upS - paceToleranceS;
}

/**
 * After `waitMs` without `up=` a board is taken as it is: as one that did not restart, which counts
 * nothing twice. A word that left the doubt is what the next ones are held to, lest they show a
 * restart that was counted already.
 *
 * @param boot of the machine, now
 */
export function settleLate(run: BoardRun, nowMs: number, waitMs: number, boot: string): BoardRun {
  if (run.settled || nowMs - run.unsettledSinceMs < waitMs) return run;
  const { doubted, ...known } = run;
  const word = doubted ? { upS: doubted.upS, upAt: doubted.at, boot } : {};
  return { ...known, ...word, settled: true, doubted: null };
}

function leastUpS(run: BoardRun, lastUpS: number, at: Moment, boot: string): number {
  const elapsedMs = run.boot === boot ? at.monoMs - run.upAt.monoMs : wallBetween(run.upAt, at);
  return elapsedMs === null ? lastUpS : lastUpS + (Math.max(0, elapsedMs) / 1000) * (1 - drift) - toleranceS;
}

function wallBetween(from: Moment, to: Moment): number | null {
  return from.wallMs === null || to.wallMs === null ? null : to.wallMs - from.wallMs;
}
