import { createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { cliAddStation, cloudCli } from '../support/cloud-cli.ts';
import { askJson } from '../support/http.ts';
import { freePort, startMosquitto } from '../support/mosquitto.ts';
import { connectStation } from '../support/mqtt-station.ts';
import { logged, startCloudProgram, startProgram } from '../support/programs.ts';
import { follow, type StationStatus } from '../support/sse.ts';
import { portsOf, said } from '../support/station-words.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';

/** Each test starts a program, on a machine that may be busy. */
const patient = { timeout: 60_000 };
const status = '/v1/regions/341002/status.json';
type Body = { stations: StationStatus[] };

test(
  'the cloud as a program: a station is added, speaks, is removed; SIGTERM commits and ends it',
  patient,
  async () => {
    const dataDir = tempDir();
    const cloud = await startCloudProgram(dataDir);
    const login = await cliAddStation(dataDir, 'a');
    await waitFor('the new station', async () => (await askJson<Body>(cloud.http, status)).stations[0]?.id === 'a');
    const station = await connectStation({ port: cloud.mqttPort, ...login });
    const { session } = await station.hello();
    await station.state({ ports: portsOf('free') });
    await waitFor('its state', async () => (await askJson<Body>(cloud.http, status)).stations[0]?.state === 'open');
    const follower = await follow(cloud.http);
    await follower.nth('hello', 1);

    const removed = await cloudCli('station', 'remove', '--id', 'a', '--data', dataDir, '--json');
    expect(removed).toEqual({ code: 0, stdout: ['{"id":"a","removed":true}'], stderr: [] });
    await waitFor('the end of its connection', () => !station.connected);
    expect(await follower.nth('patch', 1)).toMatchObject({ data: { stations: [{ id: 'a', state: 'removed' }] } });

    const again = await cliAddStation(dataDir, 'a');
    const back = await connectStation({ port: cloud.mqttPort, ...again });
    const welcome = await back.hello();
    expect(welcome.session).not.toBe(session);
    const events = Array.from({ length: 200 }, (_, n) => said.water(Date.now(), n));
    await back.say('events', { session: welcome.session, epoch: 'a'.repeat(32), first: 1, events });
    expect(await cloud.kill('SIGTERM')).toBe(0);
    expect(cloud.stdout.at(-1)).toContain('"reason":"SIGTERM","msg":"cloud stopped"');
    expect(cloud.stderr).toEqual([]);
    expect(await follower.ended).toBe('ended');
    const db = new Database(join(dataDir, 'cloud.db'), { readonly: true });
    onTestFinished(() => void db.close());
    expect(db.prepare('SELECT count(*) AS n FROM event').get()).toEqual({ n: 200 });
  },
);

test('a second cloud on the same data directory is refused, and the first goes on', patient, async () => {
  const dataDir = tempDir();
  const cloud = await startCloudProgram(dataDir);
  const second = await cloudCli('serve', '--data', dataDir, '--http-port', '0', '--mqtt-port', '0');
  const stderr = [`${dataDir}: 1 problem\n  another cloud is using this directory`];
  expect(second).toEqual({ code: 78, stdout: [], stderr });
  expect(await askJson(cloud.http, '/healthz')).toEqual({ ok: true, problems: [] });
  expect(await cloud.kill('SIGINT')).toBe(0);
});

test('a store that breaks under the running cloud ends it with code 74 and what to do', patient, async () => {
  const dataDir = tempDir();
  const cloud = await startCloudProgram(dataDir);
  const db = new Database(join(dataDir, 'cloud.db'));
  db.exec('DROP TABLE station');
  db.close();
  expect(await cloud.exited).toBe(74);
  expect(cloud.stderr).toEqual(['the store failed: check the disk, then start again']);
  expect(cloud.stdout.join('\n')).toContain('"level":60');
});

test('with --broker it serves the stations of an external broker, and opens none of its own', patient, async () => {
  const mosquitto = await startMosquitto();
  const dataDir = tempDir();
  await cliAddStation(dataDir, 'a');
  const cloud = await startCloudProgram(dataDir, ['--broker', mosquitto.url]);
  expect(cloud.mqttPort).toBe(0);
  await logged(cloud, 'external broker connected');
  const station = await connectStation({ port: mosquitto.port, id: 'a' });
  const { session } = await station.hello();
  expect(session).toMatch(/^[\w-]{16}$/);
  await station.state({ ports: portsOf('free') });
  expect(await station.events([said.door(Date.now(), true)])).toMatchObject({ session, upTo: 1 });
  await waitFor('its state', async () => (await askJson<Body>(cloud.http, status)).stations[0]?.state === 'open');
  expect(await cloud.kill('SIGTERM')).toBe(0);
});

test('a broker that takes the connection and says nothing does not hold up the end', patient, async () => {
  const mute = createServer((socket) => socket.on('error', () => {}));
  const port = await freePort();
  await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const dataDir = tempDir();
  const reached = new Promise((resolve) => mute.once('connection', resolve));
  const cloud = startProgram('cloud', [
    'serve',
    '--data',
    dataDir,
    '--http-port',
    '0',
    '--broker',
    `mqtt://127.0.0.1:${port}`,
  ]);
  await logged(cloud, 'cloud started');
  await reached;
  expect(await cloud.kill('SIGTERM')).toBe(0);
  expect(cloud.stdout.at(-1)).toContain('cloud stopped');
});
