/** Cancels a timer; calling it again or after the timer fired does nothing. */
export type Cancel = () => void;

/**
 * Time as every loop of the house sees it: injected, so that tests and simulations turn it.
 * Durations come from `monotonicMs`, stamps from `wallMs`; neither replaces the other.
 */
export interface Clock {
  /** Unix time, milliseconds; may jump. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start (the machine's boot on Linux); never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs` of monotonic time. */
  after(delayMs: number, task: () => void): Cancel;
}

/** Node's timers take no more; longer waits are made of several. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  after(delayMs, task) {
    const waitMs = Math.min(Math.max(0, delayMs), longestTimerMs);
    const timer = setTimeout(() => {
      if (delayMs > longestTimerMs) cancel = systemClock.after(delayMs - waitMs, task);
      else task();
    }, waitMs);
    let cancel: Cancel = () => clearTimeout(timer);
    return () => cancel();
  },
};

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Runs `task` every `periodMs` on a fixed grid until cancelled; a late run does not shift the grid. */
export function every(clock: Clock, periodMs: number, task: () => void): Cancel {
  let due = clock.monotonicMs() + periodMs;
  let cancel = clock.after(periodMs, run);
  function run(): void {
    const nowMs = clock.monotonicMs();
    due += periodMs * Math.max(1, Math.floor((nowMs - due) / periodMs) + 1);
    cancel = clock.after(due - nowMs, run);
    task();
  }
  return () => cancel();
}
