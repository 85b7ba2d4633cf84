import type { Cancel, Clock } from '../../../protocol/host/clock.ts';
import type { Timeline } from './timeline.ts';

/** Thrown into a process that is dead: whatever it would have done next does not happen. */
export class Dead extends Error {
  constructor() {
    super('the process is dead');
    this.name = 'Dead';
  }
}

/**
 * One process of the simulation, from its start to its end. Everything that it does to the world
 * goes through `enter`: there it may be crashed, and a dead one does nothing any more.
 */
export class Life {
  readonly #timeline: Timeline;
  readonly #deaths: (() => void)[] = [];
  #alive = true;
  #crashIn = Number.POSITIVE_INFINITY;
  /** What waits for the process to run again; null while it runs. */
  #waiting: (() => void)[] | null = null;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The process acts on the world. */
  enter(): void {
    if (this.#alive && this.#crashIn-- <= 0) this.die();
    if (!this.#alive) throw new Dead();
  }

  /** Crashes it at the `steps`-th of its acts from now on. */
  crashIn(steps: number): void {
    this.#crashIn = steps;
  }

  /** The process does not get to run for so long: a slow disk, a busy processor. */
  stall(forMs: number): void {
    this.#waiting ??= [];
    this.#timeline.after(forMs, () => {
      const waiting = this.#waiting ?? [];
      this.#waiting = null;
      for (const task of waiting) this.run(task);
    });
  }

  /** Runs `task` within the process: not when it is dead, and later, in order, while it is stalled. */
  run(task: () => void): void {
    if (!this.#alive) return;
    if (this.#waiting) return void this.#waiting.push(task);
    try {
      task();
    } catch (error) {
      if (!(error instanceof Dead)) throw error;
    }
  }

  onDeath(then: () => void): void {
    this.#deaths.push(then);
  }

  die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const then of this.#deaths.splice(0)) then();
  }
}

/** The clocks of one machine between two boots. */
export type MachineTime = {
  /** True time of the boot. */
  bootedMs: number;
  /** The wall clock, Unix ms; it may jump. */
  wallMs: () => number;
};

/** Time as one process sees it. */
export function processClock(timeline: Timeline, life: Life, time: MachineTime): Clock {
  return {
    wallMs: () => Math.floor(time.wallMs()),
    monotonicMs: () => timeline.nowMs - time.bootedMs,
    after(delayMs, task): Cancel {
      if (!life.alive) return () => {};
      return timeline.after(delayMs, () => life.run(task));
    },
  };
}
