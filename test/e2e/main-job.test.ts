import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { StationEvent } from '../../protocol/events.ts';
import { handBoard } from '../support/hand-board.ts';
import { addStation, logged, type RunningCloud, startCloudProgram, startProgram } from '../support/programs.ts';
import { openPty } from '../support/pty.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { mosquittoWithRights } from './broker.ts';
import { follow, isLive, readStatus } from './feed.ts';
import { patiently, patientMs, runAgent, station, stationFile, verified, wallClockOff } from './rig.ts';
import { rolledUp, storedEvents } from './store.ts';

const hourMs = 3_600_000;
const exactTestMs = 120_000;
const oneTap = { total: 1, free: 1, in_use: null, faulty: 0, unknown: 0 };

test('what a board says on its wire is what the public reads, and counts once in the history', {
  timeout: exactTestMs,
}, async () => {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const { password } = await addStation(cloudData, station);
  // The history tells finished hours alone: this cloud, and with it the station, live an hour ago.
  const cloud = await startCloudProgram(cloudData, [], wallClockOff(-hourMs));
  const pty = await openPty();
  const file = stationFile(directory, {
    cloud: { url: `mqtt://127.0.0.1:${cloud.mqttPort}`, password },
    sensors: [{ driver: 'board', port: pty.path }],
    reportIntervalS: 5,
    clock: { trust: 'cloud' },
  });
  const agent = runAgent(file);
  await logged(agent, 'sensor source opened');
  const board = handBoard(pty.write);
  // The visit counter is about to wrap, as those of a board that ran for years do.
  board.say('people', { in: 4_294_967_294, out: 17, present: 0 });
  board.say('door', { open: 0, locked: 0 });
  board.say('water', { tank: 78, hot: 91.5, cold: 9, ml: 240, leak: 0, fault: 0, filter: 64 });
  board.say('port-1', { mw: 11_250, mwh: 830, fault: 0 });
  board.say('port-2', { mw: 0, mwh: 0, fault: 0 });
  board.say('env', { temp: 22.5, rh: 48, co2: 612, smoke: 0, flood: 0, mains: 1 });
  board.say('button', { sos: 0 });
  await isLive(cloud);
  const patches = follow(cloud.http);
  const atRest = {
    id: station,
    state: 'open',
    freshness: 'live',
    report_interval_s: 5,
    level: 'quiet',
    features: [
      { kind: 'seat', total: 12, free: 3, at_least: true, in_use: null, faulty: null, unknown: null },
      { kind: 'port', total: 2, free: 1, in_use: 1, faulty: 0, unknown: 0 },
      { kind: 'water_hot', ...oneTap, temp_c: 92 },
      { kind: 'water_cold', ...oneTap, temp_c: 9 },
    ],
  };
  await inFeed(cloud, atRest);

  // Ten come in at once, one of them plugs in at port 2, and they drink the tank empty.
  board.say('door', { open: 1 });
  board.say('people', { in: 8, present: 1 });
  board.say('port-2', { mw: 9000 });
  board.say('water', { tank: 3, ml: 4740, hot: 88 });
  board.say('button', { sos: 2 });
  await patched(patches, {
    state: 'open',
    level: 'busy',
    features: [
      { kind: 'seat', total: 12, free: 2, in_use: null, faulty: null, unknown: null },
      { kind: 'port', total: 2, free: 0, in_use: 2, faulty: 0, unknown: 0 },
      { kind: 'water_hot', ...oneTap, free: 0, faulty: 1, temp_c: null },
      { kind: 'water_cold', ...oneTap, free: 0, faulty: 1, temp_c: null },
    ],
  });

  // Two more come: full. Then all leave; port 1 is free, port 2 broken, and the door is locked by day.
  board.say('people', { in: 10 });
  await patched(patches, { state: 'full' });
  board.say('people', { out: 29, present: 0 });
  board.say('port-1', { mw: 0, mwh: 2330 });
  board.say('port-2', { mw: 0, mwh: 700, fault: 7 });
  board.say('door', { open: 0 });
  board.say('water', { tank: 100 });
  await patched(patches, {
    state: 'open',
    level: 'quiet',
    features: [
      atRest.features[0],
      { kind: 'port', total: 2, free: 1, in_use: 0, faulty: 1, unknown: 0 },
      { kind: 'water_hot', ...oneTap, temp_c: 88 },
      atRest.features[3],
    ],
  });
  board.say('door', { locked: 1 });
  await patched(patches, { state: 'closed_fault' });
  await inFeed(cloud, { state: 'closed_fault', freshness: 'live' });

  // The agent says what it had not said yet, and everything is acknowledged before it ends.
  expect(await agent.kill('SIGTERM')).toBe(0);
  expect(await logged(agent, 'agent stopped')).toMatchObject({ reason: 'SIGTERM', drained: true });
  const events = storedEvents(cloudData);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const told = events.map(({ event }) => event);
  expect(of(told, 'door').map(({ open, locked }) => ({ open, locked }))).toEqual([
    { open: false, locked: false },
    { open: true, locked: false },
    { open: false, locked: false },
    { open: false, locked: true },
  ]);
  expect(of(told, 'people').map(({ in: cameIn, out, inside }) => ({ cameIn, out, inside }))).toEqual([
    { cameIn: 0, out: 0, inside: 0 },
    { cameIn: 10, out: 0, inside: 10 },
    { cameIn: 2, out: 0, inside: 12 },
    { cameIn: 0, out: 12, inside: 0 },
  ]);
  const portWords = of(told, 'port').map(({ sensor, state }) => `${sensor} ${state}`);
  expect(portWords.filter((word) => word.startsWith('port-1'))).toEqual(['port-1 charging', 'port-1 free']);
  expect(portWords.filter((word) => word.startsWith('port-2'))).toEqual([
    'port-2 free',
    'port-2 charging',
    'port-2 fault',
  ]);
  expect(rolledUp(cloudData)).toEqual({ visits: 12, leaves: 12, doorOpens: 1, ml: 4500, mwh: 2200, presses: 2 });

  // An hour later the hour is over, and the history tells it.
  expect(await cloud.kill('SIGTERM')).toBe(0);
  const later = await startCloudProgram(cloudData);
  expect(await historySum(later, 'energy_wh')).toBeCloseTo(2.2, 6);
  expect(await historySum(later, 'litres')).toBeCloseTo(4.5, 6);
  const refused = await fetch(`${later.http}/v1/stations/${station}/history?metric=visits`);
  expect(refused.status).toBe(401);
});

test.each([
  { broker: 'the embedded aedes', reach: overAedes, boards: { [station]: '3.1.1' } },
  { broker: 'mosquitto by MQTT 3.1.1 and 5', reach: overMosquitto, boards: { [station]: '3.1.1', liyang: '5' } },
])(
  'simulated boards on ttys reach feed, stream and store over $broker',
  { timeout: exactTestMs },
  async ({ reach, boards }) => {
    const directory = tempDir();
    const cloudData = join(directory, 'cloud');
    const ledger = join(directory, 'ledger');
    const { cloud, url, passwords } = await reach(directory, cloudData, Object.keys(boards));
    await Promise.all(
      Object.entries(boards).map(async ([id, mqttVersion]) => {
        const tty = join(directory, `${id}.tty`);
        const world = ['--seed', '7', '--speed', '240', '--visits', '900', '--ports', '3', '--settle', '10'];
        const place = ['--pty', tty, '--station', id, '--ledger', ledger];
        const board = startProgram('simulator', ['board', ...place, ...world, '--json']);
        await logged(board, '"board"');
        const file = stationFile(join(directory, id), {
          station: id,
          cloud: { url, password: passwords[id], mqttVersion },
          sensors: [{ driver: 'board', port: tty }],
          reportIntervalS: 5,
        });
        const agent = runAgent(file);

        // The room as it is before the first worker comes.
        await inFeed(
          cloud,
          {
            state: 'open',
            freshness: 'live',
            level: 'quiet',
            features: [
              { kind: 'seat', total: 12, free: 3, at_least: true },
              { kind: 'port', total: 3, free: 3, in_use: 0, faulty: 0, unknown: 0 },
              { kind: 'water_hot', ...oneTap, temp_c: 92 },
              { kind: 'water_cold', ...oneTap, temp_c: 9 },
            ],
          },
          id,
        );
        // Then they come, charge and drink: the stream tells it.
        const patches = follow(cloud.http, id);
        const inUse = expect.objectContaining({ kind: 'port', in_use: expect.toSatisfy((n) => n > 0) });
        await patched(patches, { features: expect.arrayContaining([inUse]) });
        await waitFor('visits', () => rolledUp(cloudData, id).visits >= 8, patientMs);

        expect(await board.kill('SIGTERM')).toBe(0);
        await logged(agent, 'sensor source closed');
        expect(await agent.kill('SIGTERM')).toBe(0);
      }),
    );
    expect(await verified(ledger, cloudData)).toMatchObject({ stations: Object.keys(boards).length });
  },
);

type Reached = { cloud: RunningCloud; url: string; passwords: Record<string, string> };

async function overAedes(_directory: string, cloudData: string, ids: readonly string[]): Promise<Reached> {
  const passwords: Record<string, string> = {};
  for (const id of ids) passwords[id] = (await addStation(cloudData, id)).password;
  const cloud = await startCloudProgram(cloudData);
  return { cloud, url: `mqtt://127.0.0.1:${cloud.mqttPort}`, passwords };
}

async function overMosquitto(directory: string, cloudData: string, ids: readonly string[]): Promise<Reached> {
  const { cloudConfig, url, passwords } = await mosquittoWithRights(directory, cloudData, ids);
  return { cloud: await startCloudProgram(cloudData, ['--config', cloudConfig]), url, passwords };
}

const of = <K extends StationEvent['kind']>(events: readonly StationEvent[], kind: K) =>
  events.filter((event): event is Extract<StationEvent, { kind: K }> => event.kind === kind);

/** Read by HTTP. */
function inFeed({ http }: RunningCloud, status: object, id = station): Promise<void> {
  return expect.poll(() => readStatus(http, id), patiently).toMatchObject(status);
}

/** Pushed as a patch of the event stream. */
function patched(patches: readonly object[], status: object): Promise<void> {
  return expect.poll(() => patches.at(-1), patiently).toMatchObject(status);
}

async function historySum({ http }: RunningCloud, metric: string): Promise<number> {
  const response = await fetch(`${http}/v1/stations/${station}/history?metric=${metric}`);
  const { points } = (await response.json()) as { points: { value: number | null }[] };
  return points.reduce((sum, { value }) => sum + (value ?? 0), 0);
}
