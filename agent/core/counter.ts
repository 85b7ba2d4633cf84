import { counterModulus } from '../../protocol/board-line.ts';
import type { BoardRun } from './board.ts';

/** The part of a board's run that its counters depend on. */
export type CounterRun = Pick<BoardRun, 'generation' | 'bootedAtMs'>;

/**
 * A cumulative counter of a board, and how much of it is accounted for. It survives restarts of
 * the agent, so that a visit that a lost line hid is still counted once (protocol README §1).
 */
export type Counter = {
  /** Last raw value accounted for; null before the first. */
  raw: number | null;
  /** The board's generation at that time. */
  generation: number;
  /** Monotonic time of that value. */
  atMs: number;
  /** A later value, which waits until it is known whether the board restarted before it. */
  held: { raw: number; atMs: number } | null;
};

export type Advanced = { delta: number; counter: Counter };

/** Accounts for what a counter holds, in the way of what became known of its board. */
export type Settle = (counter: Counter) => Advanced;

/** Accounts for a raw value in the way of its source. */
export type Count = (counter: Counter, raw: number) => Advanced;

export const freshCounter: Counter = { raw: null, generation: 0, atMs: 0, held: null };

/** Values this close below the modulus may wrap; any other that falls is a reset. */
const wrapMargin = 2 ** 28;
/** `up=` tells whole seconds: a run began up to this much later than `bootedAtMs`. */
const upStepMs = 1000;
/** Before any moment of this boot. */
const longAgoMs = Number.MIN_SAFE_INTEGER;

/** The counts between the counter's last value and `raw`. The first value ever seen is a baseline. */
export function advance(counter: Counter, raw: number, run: CounterRun, nowMs: number): Advanced {
  return { delta: delta(counter, raw, run), counter: { raw, generation: run.generation, atMs: nowMs, held: null } };
}

/** Keeps a value for later: the board may have restarted unseen. */
export function hold(counter: Counter, raw: number, nowMs: number): Advanced {
  return { delta: 0, counter: { ...counter, held: { raw, atMs: nowMs } } };
}

/** Accounts for a held value: its board went on, so that it is of this run. */
export function resume(counter: Counter, run: CounterRun, nowMs: number): Advanced {
  const { held } = counter;
  if (held === null) return { delta: 0, counter };
  return advance(counter, held.raw, run, held.atMs === longAgoMs ? nowMs : held.atMs);
}

/**
 * Accounts for a held value as its board begins another run. Of a run before, whether the board had
 * restarted before it, too, nobody knows: the smaller of the two answers counts nothing twice.
 */
export function release(counter: Counter, before: CounterRun, run: CounterRun, nowMs: number): Advanced {
  const { held } = counter;
  if (held === null) return { delta: 0, counter };
  const began = run.bootedAtMs ?? Number.POSITIVE_INFINITY;
  if (held.atMs > began + upStepMs) return resume(counter, run, nowMs);
  // Of this run or of the one before, and nobody can date it; if of this one it is said again.
  const unsure = held.atMs > began || (held.atMs === longAgoMs && run.bootedAtMs !== null);
  if (unsure) return { delta: 0, counter: { ...counter, held: null } };
  const ofRunBefore = resume(counter, before, nowMs);
  return { ...ofRunBefore, delta: Math.min(ofRunBefore.delta, held.raw) };
}

/**
 * The counter as another boot of the machine finds it: its times are of a clock that is gone, and
 * lie before any moment of this one.
 */
export function afterReboot(counter: Counter, run: CounterRun): Counter {
  const generation = isOf(counter, run) ? run.generation : counter.generation;
  return { ...counter, generation, atMs: longAgoMs, held: counter.held && { ...counter.held, atMs: longAgoMs } };
}

/**
 * What a meter gained that keeps its total over power cuts (a smart plug): it never restarts unseen,
 * but a gateway may repeat an older value, which is no reset. Below half is one.
 */
export function advanceMeter(counter: Counter, raw: number, nowMs: number): Advanced {
  const last = counter.raw;
  if (last !== null && raw < last && raw >= last / 2) return { delta: 0, counter };
  const gained = last === null ? 0 : raw >= last ? raw - last : raw;
  return { delta: gained, counter: { raw, generation: 0, atMs: nowMs, held: null } };
}

function delta(counter: Counter, raw: number, run: CounterRun): number {
  const last = counter.raw;
  if (last === null) return 0;
  if (!isOf(counter, run)) return raw;
  if (raw >= last) return raw - last;
  // A run that just began is far from its wrap.
  const wraps = run.generation === counter.generation && last >= counterModulus - wrapMargin;
  const wrapped = wraps && raw < wrapMargin;
  return wrapped ? raw + counterModulus - last : raw;
}

/** Whether the counter's last value is of this run of its board. */
function isOf(counter: Counter, { generation, bootedAtMs }: CounterRun): boolean {
  return counter.generation === generation || (bootedAtMs !== null && counter.atMs > bootedAtMs);
}
