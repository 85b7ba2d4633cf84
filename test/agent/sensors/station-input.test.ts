import { expect, test } from 'vitest';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { stationInput } from '../../../agent/sensors/station-input.ts';

const at = { monoMs: 5, wallMs: null };
const reading = { kind: 'door', sensor: 'door', open: true } as const;

test.each<{ event: DriverEvent; input: object | null }>([
  {
    event: { type: 'reading', board: 'b/A7', reading },
    input: { type: 'reading', source: 'b', board: 'b/A7', reading },
  },
  {
    event: { type: 'board-up', board: 'b/A7', upS: 9, firmware: '1' },
    input: { type: 'board-up', board: 'b/A7', upS: 9 },
  },
  { event: { type: 'board-restarted', board: 'b/A7' }, input: { type: 'board-restarted', board: 'b/A7' } },
  { event: { type: 'board-unsettled', board: 'b/A7' }, input: { type: 'board-unsettled', board: 'b/A7' } },
  { event: { type: 'rejected', cause: 'crc', detail: '' }, input: { type: 'rejected', source: 'b' } },
  {
    event: { type: 'gone', sensor: 'port-5', reason: 'off' },
    input: { type: 'gone', sensor: 'port-5', reason: 'off' },
  },
  { event: { type: 'opened' }, input: null },
  { event: { type: 'closed', reason: '' }, input: null },
  { event: { type: 'lost-lines', board: 'b/A7', lines: 3 }, input: null },
  { event: { type: 'unknown', what: '' }, input: null },
])('the core hears of $event.type: $input', ({ event, input }) => {
  expect(stationInput('b', event, at)).toEqual(input && { ...input, at });
});
