import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import { startTestCloud, type TestCloud } from '../support/cloud.ts';
import { type Faults, failingStore } from '../support/failing-store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ask } from '../support/http.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { connectStation } from '../support/mqtt-station.ts';
import { said } from '../support/station-words.ts';
import { waitFor } from '../support/wait.ts';

type Health = { status: number; cache: string | undefined; ok: boolean; problems: string[] };

async function healthOf({ http }: TestCloud): Promise<Health> {
  const { status, headers, text } = await ask(http, '/healthz');
  return { status, cache: headers['cache-control'], ...JSON.parse(text) };
}

const healthy: Health = { status: 200, cache: 'no-store', ok: true, problems: [] };
const diskFull: Health = {
  status: 503,
  cache: 'no-store',
  ok: false,
  problems: ['the disk is full: nothing is acknowledged, the stations keep their events'],
};

test('a full disk acknowledges nothing and says so; with room again the same events are stored once', async () => {
  const faults: Faults = {};
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock, openStore: failingStore(faults) });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const { session } = await station.hello();
  expect(await healthOf(cloud)).toEqual(healthy);
  faults.commit = 'full';
  const batch = { session, epoch: 'a'.repeat(32), first: 1, events: [said.door(clock.wallMs(), true)] };
  await station.say('events', batch);
  await waitFor('the trouble', async () => (await healthOf(cloud)).status === 503);
  expect(await healthOf(cloud)).toEqual(diskFull);
  await clock.advance(10_000);
  expect(station.told.filter(({ channel }) => channel === 'ack')).toEqual([]);
  faults.commit = undefined;
  await station.say('events', batch);
  await clock.advance(1000);
  expect(await station.answer('ack')).toMatchObject({ upTo: 1 });
  expect(await healthOf(cloud)).toEqual(healthy);
  await cloud.stop();
  await using store = openSqliteStore(join(cloud.dataDir, 'cloud.db'));
  expect(await store.counts()).toMatchObject({ events: 1 });
  const texts = cloud.lines.filter(({ msg }) => msg.includes('disk')).map(({ level, msg }) => [level, msg]);
  expect(texts).toEqual([
    [50, 'disk full: nothing is acknowledged'],
    [30, 'disk has room again'],
  ]);
});

test('a disk that was full for the live states alone is healthy once they are saved', async () => {
  const faults: Faults = { saveLive: 'full' };
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock, openStore: failingStore(faults) });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  await station.hello();
  await station.state();
  await waitFor('the trouble', async () => {
    await clock.advance(2000);
    return (await healthOf(cloud)).status === 503;
  });
  expect(await healthOf(cloud)).toEqual(diskFull);
  faults.saveLive = undefined;
  await clock.advance(2000);
  expect(await healthOf(cloud)).toEqual(healthy);
  await using store = openSqliteStore(join(cloud.dataDir, 'cloud.db'));
  expect(await store.live()).toHaveLength(1);
});

test('an alarm that found no room is no trouble of the lane: what is committed is healthy', async () => {
  const cloud = await startTestCloud({ openStore: failingStore({ raiseAlarm: 'full' }) });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  await station.hello({ acked: 7 });
  await waitFor('the alarm', async () => cloud.lines.some(({ msg }) => msg === 'no room for a note'));
  expect(await station.events([said.door(Date.now(), true)])).toMatchObject({ upTo: 1 });
  expect(await healthOf(cloud)).toEqual(healthy);
});

test.each(['commit', 'saveLive', 'stations', 'changeMark', 'openCommands'] as const)(
  'an I/O error in %s ends the trust in the store: the cloud says so and acknowledges nothing more',
  async (method) => {
    const faults: Faults = {};
    const clock = new FakeClock();
    const cloud = await startTestCloud({ clock, openStore: failingStore(faults) });
    const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
    await station.hello();
    await station.state();
    faults[method] = 'io';
    if (method === 'stations') {
      await using beside = openSqliteStore(join(cloud.dataDir, 'cloud.db'));
      await beside.removeStation('nobody', 0);
      await beside.raiseAlarm({ station: 'a', kind: 'k', sinceMs: 0, detail: '' });
    }
    await station.say('hello', {
      nonce: 'last',
      instance: 'f'.repeat(32),
      agent: '0.1.0',
      configHash: 'c',
      epochs: [{ id: 'b'.repeat(32), oldest: 1, last: 0, acked: 0 }],
    });
    await clock.advance(5000);
    const error = await cloud.cloud.failed;
    expect(error).toMatchObject({ name: 'StoreError', message: 'disk I/O error' });
    if (method !== 'commit') return;
    expect(station.told.filter(({ body }) => body.nonce === 'last')).toEqual([]);
  },
);

test('a store that fails once more while it stops is closed all the same', async () => {
  const faults: Faults = {};
  const cloud = await startTestCloud({ openStore: failingStore(faults) });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  await station.hello();
  await station.state();
  faults.saveLive = 'io';
  await cloud.stop();
  expect(cloud.lines).toContainEqual(expect.objectContaining({ level: 50, msg: 'live states not saved' }));
  await expect(ask(cloud.http, '/healthz')).rejects.toThrow('ECONNREFUSED');
});

test('an external broker that is gone is said in /healthz, and comes back by itself', { timeout: 40_000 }, async () => {
  const mosquitto = await startMosquitto();
  const cloud = await startTestCloud({
    config: { broker: { url: mosquitto.url, username: undefined, password: undefined, ca: undefined } },
    random: () => 0,
  });
  expect(cloud.cloud.mqttPort).toBeNull();
  await waitFor('the broker', async () => (await healthOf(cloud)).ok);
  const station = await connectStation({ port: mosquitto.port, id: 'a' });
  expect(await station.hello()).toMatchObject({ nonce: 'hello1' });
  await mosquitto.stop('SIGKILL');
  await waitFor('its end', async () => !(await healthOf(cloud)).ok);
  expect(await healthOf(cloud)).toEqual({
    status: 503,
    cache: 'no-store',
    ok: false,
    problems: ['the broker is not connected'],
  });
  await mosquitto.start();
  await waitFor('its return', async () => (await healthOf(cloud)).ok);
  const again = await connectStation({ port: mosquitto.port, id: 'a' });
  expect(await again.hello()).toMatchObject({ nonce: 'hello1' });
});
