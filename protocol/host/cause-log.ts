import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

/** A cause is logged at once, and then at most once in this time with the count since. */
const quietMs = 60_000;
/** Causes that are told apart, so that nothing grows; what comes beyond counts as `other`. */
const maxCauses = 500;
const other = 'other';

type Tally = { count: number; loggedCount: number; loggedMs: number; heardMs: number };

/** Counts what was refused or odd, by cause, and logs each cause without flooding the log. */
export class CauseLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** In the order in which they were last heard. */
  readonly #causes = new Map<string, Tally>();
  readonly #others = newTally();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  note(cause: string, data: object, message: string, by = 1): void {
    const nowMs = this.#clock.monotonicMs();
    const tally = this.#tallyOf(cause, nowMs);
    tally.count += by;
    tally.heardMs = nowMs;
    if (nowMs - tally.loggedMs < quietMs) return;
    this.#log.warn({ ...data, count: tally.count - tally.loggedCount }, message);
    tally.loggedMs = nowMs;
    tally.loggedCount = tally.count;
  }

  /** Counts since the start, by cause. */
  counts(): Readonly<Record<string, number>> {
    const counts = [...this.#causes].map(([cause, { count }]) => [cause, count]);
    return Object.fromEntries(this.#others.count > 0 ? [...counts, [other, this.#others.count]] : counts);
  }

  #tallyOf(cause: string, nowMs: number): Tally {
    const known = this.#causes.get(cause);
    if (!known && this.#causes.size >= maxCauses && !this.#forgetQuietest(nowMs)) return this.#others;
    const tally = known ?? newTally();
    this.#causes.delete(cause);
    this.#causes.set(cause, tally);
    return tally;
  }

  /**
   * Names may be a stranger's choice: so many of them must not hide the causes that come later. One
   * that was quiet for so long would be logged at once anyway, so that forgetting it tells no less.
   */
  #forgetQuietest(nowMs: number): boolean {
    for (const [cause, { count, loggedCount, heardMs }] of this.#causes) {
      if (nowMs - heardMs < quietMs) return false;
      this.#causes.delete(cause);
      this.#others.count += count;
      this.#others.loggedCount += loggedCount;
      return true;
    }
    return false;
  }
}

function newTally(): Tally {
  return { count: 0, loggedCount: 0, loggedMs: Number.NEGATIVE_INFINITY, heardMs: Number.NEGATIVE_INFINITY };
}
