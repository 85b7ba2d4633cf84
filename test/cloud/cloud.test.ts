import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { registerStations, removeStation, startTestCloud, type TestCloud } from '../support/cloud.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { askJson } from '../support/http.ts';
import { listening } from '../support/listening.ts';
import { connectStation } from '../support/mqtt-station.ts';
import { follow, type StationStatus } from '../support/sse.ts';
import { portsOf, recordOf, said } from '../support/station-words.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

async function statusOf({ http }: TestCloud, id = 'a'): Promise<StationStatus | undefined> {
  const { stations } = await askJson<{ stations: StationStatus[] }>(http, '/v1/regions/341002/status.json');
  return stations.find((station) => station.id === id);
}

/** Waits for what comes over a real network, while the test's own clock goes on. */
function turning<T>(clock: FakeClock, what: string, isSo: () => Promise<T | null | undefined | false>): Promise<T> {
  return waitFor(what, async () => {
    await clock.advance(100);
    return isSo();
  });
}

test('from a station’s words to the feed: state and events by MQTT, status by HTTP', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const welcome = await station.hello();
  expect(welcome).toMatchObject({ nonce: 'hello1', now: clock.wallMs(), epochs: [{ upTo: 0 }] });
  await station.state({ ports: portsOf('free', 'charging') });
  const ack = await station.events([said.port(clock.wallMs(), 'charging'), said.port(clock.wallMs(), 'free', 900)]);
  expect(ack).toMatchObject({ session: welcome.session, upTo: 2, now: clock.wallMs() });
  const status = await turning(clock, 'the status', async () => {
    const found = await statusOf(cloud);
    return found?.state === 'open' && found;
  });
  expect(status).toMatchObject({ freshness: 'live', features: [{ kind: 'port', total: 2, free: 1, in_use: 1 }] });
});

test('a cloud whose clock is set back lets a dead station grow old, and a living one goes on', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock, stations: [recordOf('a'), recordOf('b')] });
  const freshness = async (): Promise<unknown[]> =>
    Promise.all(['a', 'b'].map(async (id) => (await statusOf(cloud, id))?.freshness));
  const living = await connectStation({ port: cloud.mqttPort, id: 'b' });
  for (const station of [await connectStation({ port: cloud.mqttPort, id: 'a' }), living]) {
    await station.hello();
    await station.state({ at: clock.wallMs() });
  }
  await turning(clock, 'both live', async () => (await freshness()).every((word) => word === 'live'));
  clock.jumpWall(-3_600_000);
  await clock.advance(700_000);
  await living.state({ seq: 1, at: clock.wallMs() });
  await turning(clock, 'the living one', async () => (await statusOf(cloud, 'b'))?.freshness === 'live');
  expect(await freshness()).toEqual(['offline', 'live']);
});

test('a stopped cloud leaves no timer, no port and no follower behind', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const follower = await follow(cloud.http);
  const httpPort = Number(new URL(cloud.http).port);
  expect(await Promise.all([listening(httpPort), listening(cloud.mqttPort)])).toEqual([true, true]);
  await cloud.stop();
  expect(await Promise.all([listening(httpPort), listening(cloud.mqttPort)])).toEqual([false, false]);
  expect(await follower.ended).toBe('ended');
  await waitFor('the station’s end', () => !station.connected);
  expect(clock.pending).toBe(0);
});

test('what was taken before the stop is committed, and the live state saved', async () => {
  // What arrives waits for its group until the stop is well under way.
  const wait = { ms: 0 };
  const cloud = await startTestCloud({ turn: () => setTimeout(wait.ms) });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const { session } = await station.hello();
  wait.ms = 500;
  const batch = (first: number) => ({
    session,
    epoch: 'a'.repeat(32),
    first,
    events: Array.from({ length: 50 }, (_, n) => said.water(Date.now(), n)),
  });
  const taken = Array.from({ length: 40 }, (_, n) => station.say('events', batch(1 + 50 * n)));
  await Promise.all([...taken, station.state({ seq: 2000, ports: portsOf('free') })]);
  await cloud.stop();
  await using store = openSqliteStore(join(cloud.dataDir, 'cloud.db'));
  expect(await store.counts()).toMatchObject({ events: 2000, gaps: 0, quarantined: 0 });
  expect((await store.live()).map(({ station: id, state }) => [id, state.seq])).toEqual([['a', 2000]]);
});

test('a restarted cloud shows what it knew as old as it is, and asks its stations to say hello again', async () => {
  const dataDir = tempDir();
  const clock = new FakeClock();
  const first = await startTestCloud({ clock, dataDir });
  const before = await connectStation({ port: first.mqttPort, id: 'a' });
  const { session } = await before.hello();
  await before.state({ ports: portsOf('free') });
  await turning(clock, 'the status', async () => (await statusOf(first))?.state === 'open');
  await first.stop();
  await clock.advance(400_000);
  const second = await startTestCloud({ clock, dataDir, stations: [] });
  expect(await statusOf(second)).toMatchObject({
    state: 'unknown',
    freshness: 'stale',
    features: [{ free: null, last_known: { free: 1 } }],
  });
  const after = await connectStation({ port: second.mqttPort, id: 'a' });
  await after.say('events', { session, epoch: 'a'.repeat(32), first: 1, events: [said.door(clock.wallMs(), true)] });
  expect(await after.answer('reset')).toMatchObject({ session });
  expect(after.told.filter(({ channel }) => channel === 'ack')).toEqual([]);
});

test('a station that is added beside the running cloud is there within a second', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock });
  const follower = await follow(cloud.http, '?region=341002');
  await follower.nth('hello', 1);
  await registerStations(cloud.dataDir, [recordOf('new')]);
  await clock.advance(1000);
  expect(await follower.nth('patch', 1)).toMatchObject({ data: { stations: [{ id: 'new', state: 'unknown' }] } });
  expect(await statusOf(cloud, 'new')).toMatchObject({ state: 'unknown', freshness: null });
  const station = await connectStation({ port: cloud.mqttPort, id: 'new' });
  expect(await station.hello()).toMatchObject({ nonce: 'hello1' });
});

test('a removed station is disconnected within a second, told as removed, and refused from then on', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock, stations: [recordOf('a'), recordOf('b')] });
  const [station, other] = await Promise.all(['a', 'b'].map((id) => connectStation({ port: cloud.mqttPort, id })));
  const follower = await follow(cloud.http, '?region=341002');
  await follower.nth('hello', 1);
  await removeStation(cloud.dataDir, 'a', clock.wallMs());
  await clock.advance(1000);
  await waitFor('the end of its connection', () => station?.connected === false);
  expect(await follower.nth('patch', 1)).toMatchObject({
    data: { stations: [{ id: 'a', state: 'removed', freshness: null }] },
  });
  await expect(connectStation({ port: cloud.mqttPort, id: 'a' })).rejects.toThrow('Bad username or password');
  expect(await other?.hello()).toMatchObject({ nonce: 'hello1' });
});

test('a station that is removed and added again loses the connection of its old password', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock, stations: [recordOf('a'), recordOf('b')] });
  const [station, other] = await Promise.all(['a', 'b'].map((id) => connectStation({ port: cloud.mqttPort, id })));
  await removeStation(cloud.dataDir, 'a', clock.wallMs());
  await registerStations(cloud.dataDir, [recordOf('a')]);
  await clock.advance(1000);
  await waitFor('the end of its connection', () => station?.connected === false);
  expect(other?.connected).toBe(true);
});

test('a command is sent at once and again until it is answered; one that expired never', async () => {
  const clock = new FakeClock();
  const cloud = await startTestCloud({ clock });
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  await using store = openSqliteStore(join(cloud.dataDir, 'cloud.db'));
  const command = { station: 'a', name: 'report-now', args: {} };
  await store.addCommand({ ...command, id: 'late', expires: clock.wallMs() });
  await store.addCommand({ ...command, id: 'c1', expires: clock.wallMs() + 60_000 });
  const sent = () => station.told.filter(({ channel }) => channel === 'commands').map(({ body }) => body.id);
  await clock.advance(1000);
  await waitFor('the command', () => sent().length === 1);
  await clock.advance(5000);
  await waitFor('it again', () => sent().length === 2);
  await station.say('replies', { id: 'c1', ok: true });
  await waitFor('the answer', () => store.commandReply('c1'));
  await clock.advance(10_000);
  await station.hello();
  expect(sent()).toEqual(['c1', 'c1']);
});

test.each(['http', 'mqtt'] as const)(
  'a taken %s port is a wrong configuration, and nothing is left behind',
  async (which) => {
    const taken = await startTestCloud();
    const port = which === 'http' ? Number(new URL(taken.http).port) : taken.mqttPort;
    const clock = new FakeClock();
    const base = { host: '0.0.0.0', port };
    const mqtt = {
      ...base,
      tls: null,
      maxConnections: 10,
      maxPreAuthBytes: 16_384,
      maxFrameBytes: 131_072,
      maxUnreadBytes: 1024 * 1024,
      loginTimeoutS: 10,
    };
    const dataDir = tempDir();
    const started = startTestCloud({
      clock,
      dataDir,
      config: which === 'http' ? { http: { ...base, metrics: 'off' } } : { mqtt },
    });
    const error = await started.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ issues: [`port ${port} is taken: choose another with --${which}-port`] });
    expect(clock.pending).toBe(0);
    expect((await startTestCloud({ dataDir, stations: [] })).mqttPort).toBeGreaterThan(0);
  },
);
