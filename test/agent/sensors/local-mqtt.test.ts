import { expect, test } from 'vitest';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { startLocalMqtt } from '../../../agent/sensors/local-mqtt.ts';
import { tasmotaDialect } from '../../../agent/sensors/tasmota.ts';
import type { MessageSession, Received } from '../../../protocol/host/session.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { waitFor } from '../../support/wait.ts';
import { RunningDriver } from './driver-contract.ts';
import { driverConfig } from './rigs.ts';
import { openBroker } from './wires.ts';

const plugs = { 'plug-1': 'port-5' };
const asked = { topic: 'cmnd/plug-1/Status', payload: '10' };

test('asks its plugs when it opened, and every pollS after it', async () => {
  const broker = await openBroker();
  const driver = new RunningDriver(driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs, pollS: 20 }));
  await driver.next({ type: 'opened' });
  await waitFor('the first question', () => broker.heard.length === 1);
  await driver.clock.advance(19_999);
  expect(driver.clock.pending).toBe(1);
  await driver.clock.advance(1);
  await waitFor('the second question', () => broker.heard.length === 2);
  await driver.clock.advance(20_000);
  await waitFor('the third question', () => broker.heard.length === 3);
  expect(broker.heard).toEqual([asked, asked, asked]);
});

test('asks again after a reconnect, and only once a period', async () => {
  const broker = await openBroker();
  const driver = new RunningDriver(driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs }));
  await driver.next({ type: 'opened' });
  await waitFor('a question', () => broker.heard.length === 1);
  await broker.unplug();
  await driver.next({ type: 'closed' });
  expect(driver.clock.pending).toBe(1);
  await broker.plugIn();
  await driver.clock.advance(250);
  await driver.next({ type: 'opened' });
  await driver.clock.advance(30_000);
  await waitFor('two questions more', () => broker.heard.length === 3);
});

test('asks nobody where pollS is 0', async () => {
  const broker = await openBroker();
  const driver = new RunningDriver(driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs, pollS: 0 }));
  await driver.next({ type: 'opened' });
  expect(driver.clock.pending).toBe(0);
  await broker.say({ topic: 'tele/plug-1/SENSOR', payload: '{"ENERGY":{"Power":9}}' });
  await driver.next({ type: 'reading' });
  expect(broker.heard).toEqual([]);
});

test('hears what the broker kept of a device that is gone, and no reading that it kept', async () => {
  const broker = await openBroker();
  await broker.say({ topic: 'tele/plug-1/SENSOR', payload: '{"ENERGY":{"Power":9}}', retain: true });
  await broker.say({ topic: 'tele/plug-1/LWT', payload: 'Offline', retain: true });
  const driver = new RunningDriver(driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs }));
  expect(await driver.next({ type: 'gone' })).toEqual({ type: 'gone', sensor: 'port-5', reason: 'tasmota: Offline' });
  await broker.say({ topic: 'tele/plug-1/SENSOR', payload: '{"ENERGY":{"Power":7}}' });
  expect(await driver.next({ type: 'reading' })).toMatchObject({ reading: { mw: 7000 } });
  expect(driver.events.filter(({ type }) => type === 'reading')).toHaveLength(1);
});

test('is heard by its login, and told why it is refused', async () => {
  const broker = await openBroker({ username: 'agent', password: 'right' });
  const login = (password: string) =>
    driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs, username: 'agent', password });
  await new RunningDriver(login('right')).next({ type: 'opened' });
  const refused = new RunningDriver(login('wrong'));
  expect(await refused.next({ type: 'closed' })).toMatchObject({ reason: expect.stringMatching(/refused/i) });
  expect(refused.events.map(({ type }) => type)).not.toContain('opened');
});

test('two agents at one broker do not take each other’s place', async () => {
  const broker = await openBroker();
  const config = driverConfig({ driver: 'tasmota', broker: broker.url, devices: plugs });
  const [first, second] = [new RunningDriver(config, 0), new RunningDriver(config, 0.5)];
  await first.next({ type: 'opened' });
  await second.next({ type: 'opened' });
  await broker.say({ topic: 'tele/plug-1/SENSOR', payload: '{"ENERGY":{"Power":9}}' });
  await first.next({ type: 'reading' });
  await second.next({ type: 'reading' });
  expect([...first.events, ...second.events].map(({ type }) => type)).not.toContain('closed');
});

test('a broker that answers after the stop is left at once, and heard no more', async () => {
  const opening = Promise.withResolvers<MessageSession>();
  const said: DriverEvent[] = [];
  let hear = (_message: Received): void => {};
  const left: string[] = [];
  const driver = startLocalMqtt(
    { name: 'tasmota-1', broker: 'mqtt://late', pollMs: 0, backoff: { firstMs: 1, maxMs: 1, stableMs: 1 } },
    tasmotaDialect(plugs),
    (options) => {
      hear = options.onMessage;
      return opening.promise;
    },
    { clock: new FakeClock(), random: () => 0, emit: (event) => void said.push(event) },
  );
  await driver[Symbol.asyncDispose]();
  const { promise: closed } = Promise.withResolvers<string>();
  const abort = (): void => void left.push('left');
  opening.resolve({ publish: () => {}, queuedBytes: () => 0, closed, close: async () => {}, abort });
  hear({ topic: 'tele/plug-1/LWT', payload: Buffer.from('Offline'), retained: true });
  await waitFor('it to leave', () => left.length === 1);
  expect(said).toEqual([]);
});
