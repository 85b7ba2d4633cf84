import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';

/** A cause is logged at once, and then at most once in this time with the count since. */
const quietMs = 60_000;
/** Causes that are told apart; what comes beyond is counted as `other`, so that nothing grows. */
const maxCauses = 500;

type Tally = { count: number; loggedMs: number; loggedCount: number };

/** Counts what was refused or odd, by cause, and logs each cause without flooding the log. */
export class CauseLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #causes = new Map<string, Tally>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  note(cause: string, data: object, message: string, by = 1): void {
    const key = this.#causes.has(cause) || this.#causes.size < maxCauses ? cause : 'other';
    const tally = this.#causes.get(key) ?? { count: 0, loggedMs: Number.NEGATIVE_INFINITY, loggedCount: 0 };
    tally.count += by;
    this.#causes.set(key, tally);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - tally.loggedMs < quietMs) return;
    this.#log.warn({ ...data, count: tally.count - tally.loggedCount }, message);
    tally.loggedMs = nowMs;
    tally.loggedCount = tally.count;
  }

  /** Counts since the start, by cause. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#causes].map(([cause, { count }]) => [cause, count]));
  }
}
