import { CauseLog } from '../../protocol/host/cause-log.ts';
import type { Clock } from '../../protocol/host/clock.ts';
import type { Logger } from '../../protocol/host/log.ts';
import type { DriverEvent } from '../sensors/driver.ts';

/** Counts what drivers could not use, by cause, and logs each cause without flooding the log. */
export class DriverLog {
  readonly #log: Logger;
  readonly #causes: CauseLog;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#causes = new CauseLog(log, clock);
  }

  note(source: string, event: DriverEvent): void {
    switch (event.type) {
      case 'opened':
        return this.#log.info({ source }, 'sensor source opened');
      case 'closed':
        return this.#count(`${source} closed`, 1, { source, reason: event.reason }, 'sensor source closed');
      case 'rejected':
        return this.#count(
          `${source} ${event.cause}`,
          1,
          { source, cause: event.cause, detail: event.detail },
          'input rejected',
        );
      case 'lost-lines':
        return this.#count(
          `${source} lost-lines`,
          event.lines,
          { source, board: event.board, lines: event.lines },
          'lines lost',
        );
      case 'unknown':
        return this.#count(
          `${source} unknown ${event.what}`,
          1,
          { source, what: event.what },
          'input not known to this version',
        );
      case 'board-restarted':
        return this.#log.warn({ source, board: event.board }, 'board restarted');
      case 'gone':
        return this.#log.warn({ source, sensor: event.sensor, reason: event.reason }, 'sensor gone');
      case 'reading':
      case 'board-up':
      case 'board-unsettled':
        return this.#log.debug({ source, event }, 'driver event');
    }
  }

  refusedSensor(sensor: string, source: string, why: string): void {
    this.#count(`${source} refused ${sensor}`, 1, { source, sensor, why }, 'sensor refused');
  }

  /** Counts since the start, by source and cause. */
  counts(): Readonly<Record<string, number>> {
    return this.#causes.counts();
  }

  #count(cause: string, by: number, data: object, message: string): void {
    this.#causes.note(cause, data, message, by);
  }
}
