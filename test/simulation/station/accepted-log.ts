import type { Commit } from '../../../agent/outbox/writer.ts';
import type { EventBody } from '../../../protocol/events.ts';
import { type CountedField, countedFields } from '../../../simulator/ledger/ledger.ts';

/** One event that the agent accepted: its bytes, and when it truly happened, ms. */
export type AcceptedEvent = { bodyJson: string; body: EventBody; atMs: number };

export type AcceptedEpoch = {
  events: Map<number, AcceptedEvent>;
  last: number;
  /** The process that wrote it crashed: its last commit may never have been reported. */
  crashed: boolean;
  /** The file that held it is gone or older: what the cloud did not have by then may be lost. */
  fileLost: boolean;
};

/**
 * What one station's agents ever accepted, kept outside of every simulated machine: the truth that
 * the cloud is held to. Times are true ones.
 */
export class AcceptedLog {
  readonly epochs = new Map<string, AcceptedEpoch>();
  /** Counts that a restart may have swallowed before any commit knew of them, by `sensor field`: at most. */
  readonly untold = new Map<string, number>();
  /** The memory of the counters was taken from it once: their first values are a baseline again. */
  memoryLost = false;
  /** Its disk was full once: measurements may have been held back until there was room. */
  trimmed = false;
  #current: AcceptedEpoch | null = null;

  /** @param bootedMs true time at which the machine's monotonic clock was 0 */
  committed({ epoch: id, last, entries }: Commit, bootedMs: number): void {
    const epoch = this.epochs.get(id) ?? { events: new Map(), last: 0, crashed: false, fileLost: false };
    this.epochs.set(id, epoch);
    this.#current = epoch;
    const first = last - entries.length + 1;
    entries.forEach(({ bodyJson, monoMs }, index) => {
      epoch.events.set(first + index, { bodyJson, body: JSON.parse(bodyJson), atMs: bootedMs + monoMs });
    });
    epoch.last = last;
  }

  processStarted(): void {
    this.#current = null;
  }

  processDied(): void {
    if (this.#current) this.#current.crashed = true;
  }

  /** The outbox was lost, damaged, or replaced by an older one. */
  fileLost(): void {
    this.memoryLost = true;
    for (const epoch of this.epochs.values()) epoch.fileLost = true;
  }

  /**
   * A run of the board ends. What it counted and no commit has by now may be lost with it; of what
   * earlier runs counted nothing more than that can be.
   *
   * @param counted what the board ever counted, by `sensor field`
   */
  boardRestarts(counted: ReadonlyMap<string, number>): void {
    const accepted = this.sums();
    for (const [key, total] of counted) this.untold.set(key, total - (accepted.get(key) ?? 0));
  }

  /** Sums of all accepted events, by `sensor field`. */
  sums(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { events } of this.epochs.values()) for (const { body } of events.values()) addSums(sums, body);
    return sums;
  }
}

export function addSums(sums: Map<string, number>, body: object & { sensor: string }): void {
  const { sensor } = body;
  for (const field of countedFields) {
    const amount: unknown = Reflect.get(body, field satisfies CountedField);
    if (typeof amount === 'number' && amount !== 0)
      sums.set(`${sensor} ${field}`, (sums.get(`${sensor} ${field}`) ?? 0) + amount);
  }
}
