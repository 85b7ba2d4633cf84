import { encodeEventBody } from '../../protocol/codec.ts';
import type { Cancel, Clock } from '../../protocol/host/clock.ts';
import { isDiskFull } from '../../protocol/host/sqlite.ts';
import type { StorageCondition } from '../../protocol/state.ts';
import { type BufferConfig, planTrim } from '../core/buffer.ts';
import type { SaidEvent } from '../core/sensor.ts';
import type { Disk } from './disk.ts';
import type { Entry, Outbox, Trimmed } from './outbox.ts';

export type WriterConfig = BufferConfig & {
  transitionCommitMs: number;
  measurementCommitMs: number;
  maxPending: number;
  ballastBytes: number;
};

/** One transaction that is durable now: its events have the sequences up to `last`. */
export type Commit = {
  epoch: string;
  last: number;
  entries: readonly Entry[];
  /** What changed of the core's memory, by key. */
  memory: Readonly<Record<string, string>>;
};

export type WriterIo = {
  clock: Clock;
  disk: Disk;
  outbox: Outbox;
  ballastPath: string;
  /** The core's memory now, by key; what differs from the last commit goes with the next one. */
  memory: () => Readonly<Record<string, string>>;
  committed: (commit: Commit) => void;
  trimmed: (trimmed: Trimmed) => void;
  conditionChanged: (condition: StorageCondition) => void;
  /** The outbox can no longer be trusted: the agent has to open it again. */
  failed: (error: unknown) => void;
};

const retryFullMs = 5000;
const leastTrimRows = 500;

/**
 * Gathers what the core says and commits it in groups: a transition within `transitionCommitMs`, a
 * measurement within `measurementCommitMs`. Keeps the outbox within its bounds, and gives up first
 * the ballast, then the oldest rows, when the disk is full (protocol README §3, rules 2 and 11).
 */
export class Writer {
  readonly #config: WriterConfig;
  readonly #io: WriterIo;
  #pending: Entry[] = [];
  #saved: Readonly<Record<string, string>>;
  #due: { atMs: number; cancel: Cancel } | null = null;
  #committing: Promise<void> | null = null;
  #condition: StorageCondition = 'ok';
  #closed = false;

  /** @param saved the core's memory as the outbox has it */
  constructor(config: WriterConfig, saved: Readonly<Record<string, string>>, io: WriterIo) {
    this.#config = config;
    this.#saved = saved;
    this.#io = io;
  }

  get condition(): StorageCondition {
    return this.#condition;
  }

  /** Takes the event; it is accepted once it is committed. */
  push({ body, transition }: SaidEvent, monoMs: number): void {
    if (this.#closed) return;
    if (this.#pending.length >= this.#config.maxPending) {
      return this.#fail(new Error(`${this.#pending.length} events wait for a disk that takes none`));
    }
    this.#pending.push({ bodyJson: encodeEventBody(body), transition, monoMs });
    this.#schedule(transition ? this.#config.transitionCommitMs : this.#config.measurementCommitMs);
  }

  /** Resolves when everything pushed so far is committed, or cannot be. */
  async flush(): Promise<void> {
    await this.#committing;
    if (this.#pending.length > 0 && !this.#closed) await this.#commit();
  }

  /** Lays the ballast down again once there is room; to be called now and then. */
  tick(): void {
    const { disk, ballastPath } = this.#io;
    if (this.#closed || this.#config.ballastBytes === 0) return;
    if (this.#condition === 'ok' && disk.sizeBytes(ballastPath) >= this.#config.ballastBytes) return;
    const free = disk.free(ballastPath);
    if (free !== null && free.bytes < 2 * this.#config.ballastBytes) return;
    try {
      disk.preallocate(ballastPath, this.#config.ballastBytes);
      if (this.#pending.length === 0) this.#become('ok');
    } catch {
      // Still no room: what was written of it makes room again.
      disk.remove(ballastPath);
    }
  }

  /** Takes nothing any more; what is pending stays uncommitted unless `flush` went before. */
  close(): void {
    this.#closed = true;
    this.#due?.cancel();
  }

  #schedule(delayMs: number): void {
    const atMs = this.#io.clock.monotonicMs() + delayMs;
    if (this.#committing || (this.#due && this.#due.atMs <= atMs)) return;
    this.#due?.cancel();
    this.#due = { atMs, cancel: this.#io.clock.after(delayMs, () => void this.#commit()) };
  }

  async #commit(): Promise<void> {
    if (this.#committing) return this.#committing;
    this.#due?.cancel();
    this.#due = null;
    this.#committing = this.#commitGroups().catch((error: unknown) => this.#fail(error));
    await this.#committing;
    this.#committing = null;
    if (this.#pending.length > 0) this.#schedule(this.#condition === 'ok' ? 0 : retryFullMs);
  }

  async #commitGroups(): Promise<void> {
    while (this.#pending.length > 0 && !this.#closed) {
      // The memory explains all that was said so far: with only a part of it, a restart after a
      // crash would count the rest of the part again. So everything pending goes as one group.
      const group = [...this.#pending];
      const memory = this.#io.memory();
      const changed = changedEntries(this.#saved, memory);
      const appended = await this.#append(group, changed);
      if (!appended) return this.#become('full');
      this.#pending.splice(0, group.length);
      this.#saved = { ...this.#saved, ...memory };
      this.#io.committed({ ...appended, entries: group, memory: changed });
      await this.#keepBounds();
    }
  }

  async #append(
    group: Entry[],
    memory: Readonly<Record<string, string>>,
  ): Promise<{ epoch: string; last: number } | null> {
    const rooms = [
      () => this.#dropBallast(),
      () => this.#trim(Math.max(leastTrimRows, Math.ceil(this.#io.outbox.use().rows / 10))),
    ];
    for (;;) {
      const appended = await this.#io.outbox.append(group, memory);
      if (appended.ok) return appended;
      this.#become('full');
      const makeRoom = rooms.shift();
      if (!makeRoom) return null;
      await makeRoom();
    }
  }

  async #keepBounds(): Promise<void> {
    const plan = planTrim(this.#io.outbox.use(), this.#config);
    if (plan) await this.#trim(plan.rows);
  }

  async #dropBallast(): Promise<void> {
    this.#io.disk.remove(this.#io.ballastPath);
  }

  async #trim(rows: number): Promise<void> {
    try {
      const trimmed = await this.#io.outbox.trim(rows);
      if (trimmed.measurements + trimmed.transitions > 0) this.#io.trimmed(trimmed);
    } catch (error) {
      // Not even a deletion fits: the next attempt follows when someone made room.
      if (!(error instanceof Error) || !isDiskFull(error.cause)) throw error;
    }
  }

  #become(condition: StorageCondition): void {
    if (this.#condition === condition) return;
    this.#condition = condition;
    this.#io.conditionChanged(condition);
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#io.failed(error);
  }
}

function changedEntries(
  saved: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(now).filter(([key, json]) => saved[key] !== json));
}
