import type { Moment } from '../core/reading.ts';
import type { StationInput } from '../core/station-core.ts';
import type { DriverEvent } from './driver.ts';

/** What the core hears of a driver's event; null for what only the log is told. */
export function stationInput(source: string, event: DriverEvent, at: Moment): StationInput | null {
  switch (event.type) {
    case 'reading':
      return { type: 'reading', at, source, board: event.board, reading: event.reading };
    case 'board-up':
      return { type: 'board-up', at, board: event.board, upS: event.upS };
    case 'board-restarted':
    case 'board-unsettled':
      return { type: event.type, at, board: event.board };
    case 'rejected':
      return { type: 'rejected', at, source };
    case 'gone':
      return { type: 'gone', at, sensor: event.sensor, reason: event.reason };
    case 'opened':
    case 'closed':
    case 'lost-lines':
    case 'unknown':
      return null;
  }
}
