import { expect, test } from 'vitest';
import type { StationEvent } from '../../../protocol/events.ts';
import { seededRandom } from '../../../simulator/core/random.ts';
import { StationLog } from '../../../simulator/fleet/station-log.ts';
import { LedgerWriter } from '../../../simulator/ledger/ledger.ts';
import { tempDir } from '../../support/temp-dir.ts';

const hourMs = 3_600_000;

function visitsInTheHourAfter(utcHour: number): number {
  const wallMs = Date.UTC(2026, 10, 23, utcHour);
  const world = { visitsPerDay: 2400, ports: 2 };
  const log = new StationLog('a'.repeat(32), world, seededRandom(5), new LedgerWriter(tempDir(), 'one'), wallMs);
  log.advance(hourMs, wallMs);
  const events = log.events.map((json) => JSON.parse(json) as StationEvent);
  return events.reduce((sum, event) => sum + (event.kind === 'people' ? event.in : 0), 0);
}

test('a fleet lives by the hours of China: lunch at 12:00 there, a quiet night at 4:00', () => {
  // Of 2400 visits a day the hour from 12:00 has 13 %, the one from 4:00 has 0.7 %.
  expect(visitsInTheHourAfter(4)).toBeGreaterThan(240);
  expect(visitsInTheHourAfter(20)).toBeLessThan(40);
});
