import type { Cancel, Clock } from '../../protocol/host/clock.ts';

type Timer = { atMs: number; order: number; task: () => void };

/** A clock that stands still until it is turned; timers run in their order, and what they await too. */
export class FakeClock implements Clock {
  #monotonicMs: number;
  #wallOffsetMs: number;
  #timers: Timer[] = [];
  #order = 0;

  constructor(wallMs = Date.UTC(2026, 10, 23, 2), monotonicMs = 1_000_000) {
    this.#monotonicMs = monotonicMs;
    this.#wallOffsetMs = wallMs - monotonicMs;
  }

  wallMs(): number {
    return this.#monotonicMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** The wall clock jumps; monotonic time does not notice. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** The program is busy for so long: what becomes due runs late, at the next turn. */
  block(byMs: number): void {
    this.#monotonicMs += byMs;
  }

  /** Lets time pass, running what becomes due, with a turn for promises after each. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#monotonicMs + byMs;
    await turn();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (!next || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      next.task();
      await turn();
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, endMs);
    await turn();
  }

  /** Timers that wait: a loop that was stopped leaves none. */
  get pending(): number {
    return this.#timers.length;
  }
}

/** Lets promises that are ready run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
