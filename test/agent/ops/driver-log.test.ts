import { expect, test } from 'vitest';
import { DriverLog } from '../../../agent/ops/driver-log.ts';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../../support/log.ts';

function start(): { driverLog: DriverLog; clock: FakeClock; lines: LogLine[]; note: (event: DriverEvent) => void } {
  const clock = new FakeClock();
  const { log, lines } = memoryLog();
  const driverLog = new DriverLog(log, clock);
  return { driverLog, clock, lines, note: (event) => driverLog.note('board-1', event) };
}

const [info, warn, debug] = [30, 40, 20];

test.each<{ event: DriverEvent; level: number; msg: string; counted: Record<string, number> }>([
  { event: { type: 'opened' }, level: info, msg: 'sensor source opened', counted: {} },
  {
    event: { type: 'closed', reason: 'gone' },
    level: warn,
    msg: 'sensor source closed',
    counted: { 'board-1 closed': 1 },
  },
  {
    event: { type: 'rejected', cause: 'crc', detail: 'x' },
    level: warn,
    msg: 'input rejected',
    counted: { 'board-1 crc': 1 },
  },
  {
    event: { type: 'lost-lines', board: 'A7', lines: 7 },
    level: warn,
    msg: 'lines lost',
    counted: { 'board-1 lost-lines': 7 },
  },
  {
    event: { type: 'unknown', what: 'sensor radar' },
    level: warn,
    msg: 'input not known to this version',
    counted: { 'board-1 unknown sensor radar': 1 },
  },
  { event: { type: 'board-restarted', board: 'A7' }, level: warn, msg: 'board restarted', counted: {} },
  { event: { type: 'gone', sensor: 'door', reason: 'offline' }, level: warn, msg: 'sensor gone', counted: {} },
  { event: { type: 'board-unsettled', board: 'A7' }, level: debug, msg: 'driver event', counted: {} },
  { event: { type: 'board-up', board: 'A7', upS: 5, firmware: null }, level: debug, msg: 'driver event', counted: {} },
  {
    event: { type: 'reading', board: 'A7', reading: { kind: 'door', sensor: 'door', open: true } },
    level: debug,
    msg: 'driver event',
    counted: {},
  },
])('$event.type is logged at level $level and counted by its cause', ({ event, level, msg, counted }) => {
  const { driverLog, lines, note } = start();
  note(event);
  expect(lines).toEqual([expect.objectContaining({ level, msg, source: 'board-1' })]);
  expect(driverLog.counts()).toEqual(counted);
});

test('a reading is never above debug: someone may be alone in there', () => {
  const { lines, note } = start();
  note({ type: 'reading', board: 'A7', reading: { kind: 'people', sensor: 'people', present: true } });
  expect(lines.filter(({ level }) => level > debug)).toEqual([]);
});

test('a cause is logged at once, then once a minute with the count since, and every one is counted', async () => {
  const { driverLog, clock, lines, note } = start();
  const reject = (): void => note({ type: 'rejected', cause: 'crc', detail: 'x' });
  reject();
  for (let n = 0; n < 20; n++) reject();
  note({ type: 'rejected', cause: 'overlong', detail: 'x' });
  expect(lines.map(({ cause, count }) => [cause, count])).toEqual([
    ['crc', 1],
    ['overlong', 1],
  ]);
  await clock.advance(60_000);
  reject();
  expect(lines.at(-1)).toMatchObject({ cause: 'crc', count: 21 });
  expect(driverLog.counts()).toEqual({ 'board-1 crc': 22, 'board-1 overlong': 1 });
});

test('a refused sensor is counted by its name, and told with the reason', () => {
  const { driverLog, lines } = start();
  driverLog.refusedSensor('port-99', 'board-1', 'too-many');
  expect(lines).toEqual([
    expect.objectContaining({ level: warn, msg: 'sensor refused', sensor: 'port-99', why: 'too-many' }),
  ]);
  expect(driverLog.counts()).toEqual({ 'board-1 refused port-99': 1 });
});
