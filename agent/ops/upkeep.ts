import type { StationState } from '../../protocol/state.ts';
import type { Disk } from '../outbox/disk.ts';
import type { StoredOutbox } from '../outbox/open-outbox.ts';

const dayMs = 86_400_000;
/** Causes of refused input in the self-report: the most frequent ones. */
const maxCauses = 8;

type Facts = Pick<StationState['agent'], 'oldestUnackedAt' | 'diskFreePct' | 'bytesWrittenToday'>;

/** The outbox and its disk as they are looked at now and then: every half minute, and by the daily jobs. */
export class Upkeep {
  readonly #stored: StoredOutbox;
  readonly #disk: Disk;
  readonly #bytesWritten: () => number | null;
  #diskFreePct: number | null = null;
  #oldestUnackedAt: number | null = null;
  #dayStart: { wallDay: number; bytes: number | null };

  /** @param bytesWritten bytes that this process caused to be written so far; null where not told */
  constructor(stored: StoredOutbox, disk: Disk, bytesWritten: () => number | null) {
    this.#stored = stored;
    this.#disk = disk;
    this.#bytesWritten = bytesWritten;
    this.#dayStart = { wallDay: 0, bytes: bytesWritten() };
  }

  async look(): Promise<void> {
    this.#diskFreePct = this.#disk.free(this.#stored.path)?.pct ?? null;
    this.#oldestUnackedAt = await this.#stored.outbox.oldestUnacked();
  }

  report(wallMs: number | null): Facts {
    return {
      oldestUnackedAt: this.#oldestUnackedAt,
      diskFreePct: this.#diskFreePct,
      bytesWrittenToday: this.#bytesToday(wallMs),
    };
  }

  async maintain(wallMs: number | null): Promise<void> {
    const { outbox } = this.#stored;
    if (wallMs !== null) await outbox.forgetCommands(wallMs - dayMs);
    await outbox.maintain();
  }

  selfReport(wallMs: number | null, refused: Readonly<Record<string, number>>): Record<string, number | null> {
    const causes = Object.entries(refused)
      .sort(([, a], [, b]) => b - a)
      .slice(0, maxCauses)
      .map(([cause, count]) => [cause.slice(0, 40), count]);
    const { rows, bytes } = this.#stored.outbox.use();
    const written = this.#bytesToday(wallMs);
    return { rows, bytes, written, diskFreePct: this.#diskFreePct, ...Object.fromEntries(causes) };
  }

  #bytesToday(wallMs: number | null): number | null {
    const bytes = this.#bytesWritten();
    const wallDay = wallMs === null ? this.#dayStart.wallDay : Math.floor(wallMs / dayMs);
    if (this.#dayStart.wallDay !== 0 && wallDay !== this.#dayStart.wallDay) this.#dayStart = { wallDay, bytes };
    this.#dayStart.wallDay = wallDay;
    return bytes === null || this.#dayStart.bytes === null ? null : bytes - this.#dayStart.bytes;
  }
}
