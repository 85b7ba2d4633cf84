import { expect, test } from 'vitest';
import { openWire } from '../../../agent/sensors/board/address.ts';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { sourceSpecs, startDrivers } from '../../../agent/sensors/start-drivers.ts';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { waitFor } from '../../support/wait.ts';
import { boardOnTty, driverConfig, tasmota } from './rigs.ts';

test('the core is told of every driver: whose counters restart, how long it may be silent, what it has', () => {
  const broker = 'mqtt://127.0.0.1:1884';
  const drivers = [
    driverConfig({ driver: 'board', port: '/dev/ttyS3', expect: ['door', 'people'] }),
    driverConfig({ driver: 'zigbee2mqtt', broker, devices: { 'back-door': 'door-2' } }),
    driverConfig({
      driver: 'tasmota',
      broker,
      devices: { 'strip#1': 'port-5', 'strip#2': 'port-6' },
      silentAfterS: 60,
    }),
  ];
  expect(sourceSpecs(drivers)).toEqual({
    'board-1': { counters: 'board', silentAfterMs: 15_000, expects: ['door', 'people'] },
    'zigbee2mqtt-1': { counters: 'meter', silentAfterMs: 90_000_000, expects: ['door-2'] },
    'tasmota-1': { counters: 'meter', silentAfterMs: 60_000, expects: ['port-5', 'port-6'] },
  });
});

test('several drivers run beside each other, and each event is told with its source', async () => {
  const [board, plug] = [await boardOnTty(), await tasmota()];
  const told: [string, DriverEvent][] = [];
  const drivers = startDrivers([board.config, plug.config], {
    clock: new FakeClock(),
    random: () => 0,
    openSession: openMqttSession,
    openWire,
    emit: (source, event) => void told.push([source, event]),
  });
  expect(drivers.map(({ name }) => name)).toEqual(['board-1', 'tasmota-1']);
  const has = (source: string, event: DriverEvent) =>
    told.some(([from, what]) => from === source && JSON.stringify(what.type) === JSON.stringify(event.type));
  await waitFor('both to open', () => told.filter(([, { type }]) => type === 'opened').length === 2);
  await board.unplug();
  await waitFor('the board to be gone', () => has('board-1', { type: 'closed', reason: '' }));
  await plug.door(true);
  await waitFor('a reading of the plug', () => has('tasmota-1', plug.reading(true)));
  expect(has('tasmota-1', { type: 'closed', reason: '' })).toBe(false);
  await Promise.all(drivers.map((driver) => driver[Symbol.asyncDispose]()));
});
