import type { Cancel } from '../../../protocol/host/clock.ts';

type Task = { atMs: number; order: number; run: () => void };

/**
 * The one true time of a simulation. Tasks run in the order of their time; those of the same time in
 * an order that the seed decides. After each one everything that it woke has run.
 */
export class Timeline {
  readonly #chance: () => number;
  readonly #heap: Task[] = [];
  #nowMs = 0;
  #steps = 0;

  /** @param chance in [0, 1): the order of what happens at the same time */
  constructor(chance: () => number) {
    this.#chance = chance;
  }

  /** True milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get steps(): number {
    return this.#steps;
  }

  after(delayMs: number, run: () => void): Cancel {
    const task: Task = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#chance(), run };
    push(this.#heap, task);
    return () => {
      task.run = nothing;
    };
  }

  /** Lets time pass until `untilMs`; `afterEach` runs when a task and all that it woke are done. */
  async run(untilMs: number, afterEach: () => void): Promise<void> {
    for (let task = this.#heap[0]; task && task.atMs <= untilMs; task = this.#heap[0]) {
      pop(this.#heap);
      if (task.run === nothing) continue;
      this.#nowMs = Math.max(this.#nowMs, task.atMs);
      this.#steps += 1;
      task.run();
      await settled(this.#steps);
      afterEach();
    }
    this.#nowMs = untilMs;
  }
}

function nothing(): void {}

/** How deep streams hand a chunk on from tick to tick. */
const tickDepth = 3;
/** The real event loop gets its turn now and then. */
const breathEvery = 2000;

/**
 * Resolves when every promise that is ready, and what it makes ready, has run: a tick comes after all
 * of them. A turn of the event loop would do the same ten times slower.
 */
async function settled(steps: number): Promise<void> {
  for (let depth = 0; depth < tickDepth; depth++) await new Promise<void>((resolve) => process.nextTick(resolve));
  if (steps % breathEvery === 0) await new Promise((resolve) => setImmediate(resolve));
}

function earlier(a: Task, b: Task): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order;
}

function push(heap: Task[], task: Task): void {
  let index = heap.push(task) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (!above || !earlier(task, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = task;
}

function pop(heap: Task[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    const left = heap[child];
    if (!left) break;
    const right = heap[child + 1];
    const smaller = right && earlier(right, left) ? right : left;
    if (smaller === right) child += 1;
    if (!earlier(smaller, last)) break;
    heap[index] = smaller;
    index = child;
  }
  heap[index] = last;
}
