import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { cliAddStation } from '../support/cloud-cli.ts';
import { handBoard } from '../support/hand-board.ts';
import { askJson } from '../support/http.ts';
import { type RunningCloud, startCloudProgram } from '../support/programs.ts';
import { openPty } from '../support/pty.ts';
import { epochA, stateOf } from '../support/station-words.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { isLive, ports, readMetric, readStatus } from './feed.ts';
import { patientMs, runAgent, station, stationFile } from './rig.ts';
import { rolledUp, savedState } from './store.ts';

/** Registered stations that do what they may not. */
const guest = 'guest';
const stray = 'stray';
/** Each trick is played this often, and logged once. */
const times = 3;

type Where = { port: number; passwords: Record<string, string> };
type Trick = { trick: string; line: Record<string, unknown>; play: (where: Where) => Promise<void> };

const othersState = JSON.stringify(stateOf({ people: 'unknown', ports: [{ sensor: 'port-1', state: 'free', mw: 0 }] }));
const batch = (filler: string): string =>
  JSON.stringify({ v: 1, session: 's', epoch: epochA, first: 1, events: [{ filler }] });

const tricks: Trick[] = [
  {
    trick: 'a station that nobody knows',
    line: { cause: 'unknown station', username: 'nobody' },
    play: logIn('nobody'),
  },
  { trick: 'a wrong password', line: { cause: 'wrong password', username: station }, play: logIn(station) },
  { trick: 'no login', line: { cause: 'anonymous' }, play: logIn(undefined) },
  {
    trick: 'what another station would say',
    line: { station: guest, action: 'publish', topic: `stations/${station}/state` },
    play: publish(`stations/${station}/state`, othersState),
  },
  {
    trick: 'topics that are no station’s to speak on',
    line: { station: stray, action: 'publish', topic: `stations/${stray}/welcome` },
    play: publishOneAfterTheOther(`stations/${stray}/welcome`, `stations/${stray}/state/more`, 'elsewhere'),
  },
  {
    trick: 'hearing other stations',
    line: { station: guest, action: 'subscribe', topic: 'stations/+/welcome' },
    play: (where) => as(guest, where, (client) => void client.subscribe('stations/+/welcome')),
  },
  {
    trick: 'a version of the future',
    line: { station: guest, channel: 'state', cause: 'version', detail: 'expected v 1, found 2' },
    play: publish(`stations/${guest}/state`, JSON.stringify({ ...stateOf(), v: 2 })),
  },
  {
    trick: 'a batch of more than 64 KiB',
    line: { station: guest, channel: 'events', cause: 'too-large' },
    play: publish(`stations/${guest}/events`, batch('x'.repeat(65_536))),
  },
  {
    trick: 'a frame of more than 128 KiB',
    line: { msg: 'connection refused', why: 'a frame of more than 131072 bytes' },
    play: publish(`stations/${guest}/events`, batch('x'.repeat(131_072))),
  },
  {
    trick: 'bytes that are not UTF-8',
    line: { station: guest, channel: 'hello', cause: 'utf8' },
    play: publish(`stations/${guest}/hello`, Buffer.from([0x7b, 0xff, 0xfe, 0x7d])),
  },
  {
    trick: 'no JSON',
    line: { station: guest, channel: 'presence', cause: 'json' },
    play: publish(`stations/${guest}/presence`, '{"v":1'),
  },
  {
    trick: 'a flood before any login',
    line: { msg: 'connection refused', why: 'more than 16384 bytes before the login' },
    play: flood,
  },
];

test('an intruder is refused, counted and logged once a cause, and an honest station feels nothing', {
  timeout: 180_000,
}, async () => {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const { password } = await cliAddStation(cloudData, station);
  const passwords: Record<string, string> = {};
  for (const id of [guest, stray]) passwords[id] = (await cliAddStation(cloudData, id)).password;
  const cloud = await startCloudProgram(cloudData);
  const where = { port: cloud.mqttPort, passwords };
  const pty = await openPty();
  const file = stationFile(directory, {
    cloud: { url: `mqtt://127.0.0.1:${cloud.mqttPort}`, password },
    sensors: [{ driver: 'board', port: pty.path }],
    reportIntervalS: 5,
  });
  const agent = runAgent(file);
  const board = handBoard(pty.write);
  let visits = 0;
  board.say('people', { in: visits, out: 0 });
  board.say('port-1', { mw: 11_250, mwh: 830 });
  await isLive(cloud);

  const found: object[] = [];
  for (const { trick, line, play } of tricks) {
    const before = await readMetric(cloud.http, 'yizhan_refusals_total');
    const refused = async (): Promise<number> => (await readMetric(cloud.http, 'yizhan_refusals_total')) - before;
    for (let time = 0; time < times; time++) await play(where);
    await waitFor(`${trick} to be refused`, async () => (await refused()) >= times, patientMs);
    // The honest station goes on: somebody comes in, and it is acknowledged.
    board.say('people', { in: ++visits });
    await waitFor(`visit ${visits}`, () => rolledUp(cloudData).visits === visits, patientMs);
    found.push({ trick, refused: await refused(), lines: audit(cloud).filter((one) => matches(one, line)).length });
  }
  expect(found).toEqual(tricks.map(({ trick }) => ({ trick, refused: times, lines: 1 })));
  expect(audit(cloud)).toHaveLength(tricks.length);
  expect(cloud.child.exitCode).toBeNull();
  expect(await askJson(cloud.http, '/healthz')).toEqual({ ok: true, problems: [] });

  const { freshness, ...status } = await readStatus(cloud.http);
  expect({ freshness, ports: ports({ freshness, ...status }) }).toMatchObject({
    freshness: 'live',
    ports: { free: 0, in_use: 1 },
  });
  expect(await readStatus(cloud.http, guest)).toMatchObject({ state: 'unknown', freshness: null });
  await waitFor(
    'an outbox that waits for nothing',
    () => savedState(cloudData)?.agent.oldestUnackedAt === null,
    patientMs,
  );
  expect(agent.stdout.filter((line) => line.includes('link is down'))).toEqual([]);
});

/** What the log says of refusals. */
function audit({ stdout }: RunningCloud): Record<string, unknown>[] {
  return stdout
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['count'] !== undefined);
}

function matches(line: Record<string, unknown>, fields: Record<string, unknown>): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}

function connect({ port }: Where, options: IClientOptions): MqttClient {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options }).on('error', () => {});
  onTestFinished(async () => void (await client.endAsync(true)));
  return client;
}

function logIn(username: string | undefined): Trick['play'] {
  return async (where) => {
    const client = connect(where, username === undefined ? {} : { username, password: 'x' });
    let welcome = false;
    client.once('connect', () => {
      welcome = true;
    });
    await waitFor('the end of the connection', () => client.stream.destroyed, patientMs);
    expect(welcome).toBe(false);
  };
}

/** Under its own login; nobody waits for an answer, the intruder may be thrown out. */
async function as(username: string, where: Where, act: (client: MqttClient) => void): Promise<void> {
  const client = connect(where, { username, password: where.passwords[username] ?? '' });
  await waitFor('the login', () => client.connected, patientMs);
  act(client);
}

function publish(topic: string, payload: string | Buffer): Trick['play'] {
  return (where) => as(guest, where, (client) => void client.publish(topic, payload, { qos: 1 }));
}

function publishOneAfterTheOther(...topics: string[]): Trick['play'] {
  return (where) => as(stray, where, (client) => void client.publish(topics.shift() ?? '', '{}', { qos: 1 }));
}

async function flood({ port }: Where): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  // A CONNECT that says it is 100,000 bytes long.
  socket.write(Buffer.concat([Buffer.from([0x10, 0xa0, 0x8d, 0x06]), Buffer.alloc(32_768)]));
  await waitFor('the end of the connection', () => socket.destroyed, patientMs);
}
