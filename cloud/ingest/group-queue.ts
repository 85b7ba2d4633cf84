import type { Clock } from '../../protocol/host/clock.ts';
import { isDiskFull, StoreError } from '../../protocol/host/sqlite.ts';
import type { LaneItem, LaneOptions, LaneResult, Store } from '../store/store.ts';

export type GroupQueueConfig = {
  /** Items of one transaction, at most. */
  maxGroupItems: number;
  /** Payload bytes that wait for a commit; above it senders are held back. */
  maxQueuedBytes: number;
  aheadWindow: number;
  maxQuarantinePerStation: number;
};

export type GroupQueueIo = {
  clock: Clock;
  store: Store;
  /** Resolves after the input that is ready now was taken: what it brings joins the group. */
  turn: () => Promise<void>;
  /** Every `done` of a group was called. */
  groupDone: () => void;
  /** A disk without room: nothing is acknowledged, the stations keep what they have. */
  full: (isFull: boolean) => void;
  /** The store can no longer be trusted: nothing more is acknowledged. */
  failed: (error: unknown) => void;
};

type Waiting = { item: LaneItem; bytes: number; done: (result: LaneResult) => void };

const retryFullMs = 1000;
/** Times `maxQueuedBytes`: beyond it even those are dropped that cannot be held back. */
const hardLimit = 4;

/**
 * Group commit: what arrives while a transaction runs is the next transaction. An item's `done` is
 * called after its commit, in the order of arrival; for an item that was dropped it never is.
 */
export class GroupQueue {
  readonly #config: GroupQueueConfig;
  readonly #io: GroupQueueIo;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #running: Promise<void> | null = null;
  #held: (() => void)[] = [];
  #stopped = false;
  #full = false;

  constructor(config: GroupQueueConfig, io: GroupQueueIo) {
    this.#config = config;
    this.#io = io;
  }

  push(item: LaneItem, bytes: number, done: (result: LaneResult) => void): void {
    // Senders that cannot be held back are not heard: what is not acknowledged comes again.
    if (this.#stopped || this.#bytes > hardLimit * this.#config.maxQueuedBytes) return;
    this.#waiting.push({ item, bytes, done });
    this.#bytes += bytes;
    this.#running ??= this.#run();
  }

  get depth(): number {
    return this.#waiting.length;
  }

  hasRoom(): boolean {
    return this.#bytes < this.#config.maxQueuedBytes;
  }

  /** Resolves once the queue has room again. */
  room(): Promise<void> {
    return this.hasRoom() || this.#stopped
      ? Promise.resolve()
      : new Promise((resolve) => void this.#held.push(resolve));
  }

  /** Commits what waits, then takes nothing any more. */
  async stop(): Promise<void> {
    while (this.#running && !this.#full) await this.#running;
    this.#stopped = true;
    this.#release();
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#stopped) {
        await this.#io.turn();
        await this.#commit(this.#waiting.splice(0, this.#config.maxGroupItems));
      }
    } catch (error) {
      this.#stopped = true;
      this.#io.failed(error);
    } finally {
      this.#running = null;
      this.#release();
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const { aheadWindow, maxQuarantinePerStation } = this.#config;
    const options: LaneOptions = { nowMs: this.#io.clock.wallMs(), aheadWindow, maxQuarantinePerStation };
    let results: LaneResult[];
    try {
      results = await this.#io.store.commit(
        group.map(({ item }) => item),
        options,
      );
    } catch (error) {
      if (!(error instanceof StoreError) || !isDiskFull(error.cause)) throw error;
      this.#discount(group);
      return this.#waitForRoom();
    }
    this.#setFull(false);
    this.#discount(group);
    for (const [index, { done }] of group.entries()) {
      const result = results[index];
      if (result) done(result);
    }
    this.#io.groupDone();
  }

  /** What was not stored is not acknowledged: its sender still has it and sends it again. */
  async #waitForRoom(): Promise<void> {
    this.#setFull(true);
    await new Promise<void>((resolve) => void this.#io.clock.after(retryFullMs, resolve));
  }

  #setFull(isFull: boolean): void {
    if (this.#full === isFull) return;
    this.#full = isFull;
    this.#io.full(isFull);
  }

  #discount(group: readonly Waiting[]): void {
    for (const { bytes } of group) this.#bytes -= bytes;
    if (this.hasRoom()) this.#release();
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const resolve of held) resolve();
  }
}
