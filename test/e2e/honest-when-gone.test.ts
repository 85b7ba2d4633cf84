import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cliAddStation } from '../support/cloud-cli.ts';
import { type HandBoard, handBoard } from '../support/hand-board.ts';
import type { Program } from '../support/programs.ts';
import { openPty, type Pty } from '../support/pty.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { mosquittoWithRights } from './broker.ts';
import { follow, ports, readStatus } from './feed.ts';
import {
  type MortalCloud,
  mortalCloud,
  patiently,
  patientMs,
  runAgent,
  type StationFile,
  station,
  stationFile,
  wallClockOff,
} from './rig.ts';
import { savedState, storedEvents } from './store.ts';

const reportIntervalS = 5;
const leaseMs = 2 * reportIntervalS * 1000;
/** From the end of the lease to the eyes of a test on a busy machine. */
const slackMs = 4000;
const testMs = 180_000;
const minute = 60_000;

const onePortFree = { kind: 'port', total: 2, free: 1, in_use: 1, faulty: 0, unknown: 0 };
const noneKnown = { kind: 'port', total: 2, free: null, in_use: null, faulty: null, unknown: 2 };

type Watched = { cloud: MortalCloud; cloudData: string; pty: Pty; board: HandBoard; file: StationFile; agent: Program };

/** A live station with one free port of two. */
async function liveStation(own = false): Promise<Watched> {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const broker = own ? await mosquittoWithRights(directory, cloudData, [station]) : null;
  const password = broker?.passwords[station] ?? (await cliAddStation(cloudData, station)).password;
  const cloud = await mortalCloud(cloudData, broker ? ['--config', broker.cloudConfig] : []);
  const pty = await openPty();
  const file = stationFile(directory, {
    cloud: { url: broker?.url ?? `mqtt://127.0.0.1:${cloud.running().mqttPort}`, password },
    sensors: [{ driver: 'board', port: pty.path, silentAfterS: 4, readSilenceS: 3 }],
    reportIntervalS,
  });
  const agent = runAgent(file);
  const board = handBoard(pty.write);
  board.say('people', { in: 0, out: 0, present: 0 });
  board.say('door', { open: 0, locked: 0 });
  board.say('water', { tank: 78, hot: 91.5, cold: 9, ml: 240 });
  board.say('port-1', { mw: 11_250, mwh: 830 });
  board.say('port-2', { mw: 0, mwh: 0 });
  await inFeed(cloud, { state: 'open', freshness: 'live', ports: onePortFree });
  return { cloud, cloudData, pty, board, file, agent };
}

test('a frozen agent is late after two report intervals, and live only when it speaks again', {
  timeout: testMs,
}, async () => {
  const { cloud, agent } = await liveStation();
  const patches = follow(cloud.running().http);
  await waitFor('a patch', () => patches.length > 0, patientMs);
  const frozenMs = performance.now();
  agent.child.kill('SIGSTOP');
  await inFeed(cloud, { freshness: 'late' });
  expect(performance.now() - frozenMs).toBeLessThan(leaseMs + slackMs);
  await still(cloud, { freshness: 'late' }, 1000 * reportIntervalS);
  agent.child.kill('SIGCONT');
  await inFeed(cloud, { state: 'open', freshness: 'live', ports: onePortFree });
  await waitFor('the last patch', () => patches.at(-1)?.freshness === 'live', patientMs);
  const words = patches.map(({ freshness }) => freshness);
  expect(words.filter((word, index) => word !== words[index - 1])).toEqual(['live', 'late', 'live']);
});

test.each([
  { broker: 'the embedded aedes', own: false, minutesPass: true },
  { broker: 'mosquitto, which keeps its last state', own: true, minutesPass: false },
])(
  'a killed agent ages in the feed, also in that of a cloud that starts anew, over $broker',
  { timeout: testMs },
  async ({ own, minutesPass }) => {
    const { cloud, agent, file } = await liveStation(own);
    const killedMs = performance.now();
    await agent.kill('SIGKILL');
    await inFeed(cloud, { freshness: 'late' });
    expect(performance.now() - killedMs).toBeLessThan(leaseMs + slackMs);
    const { last_reported: at } = await readStatus(cloud.running().http);

    await cloud.killAndRestart();
    await still(cloud, { state: 'open', freshness: 'late', last_reported: at, ports: onePortFree }, 3000);
    if (minutesPass) {
      await cloud.killAndRestart(wallClockOff(6 * minute));
      const past = { state: 'unknown', last_reported: at, ports: { ...noneKnown, last_known: { free: 1, at } } };
      await still(cloud, { ...past, freshness: 'stale' }, 2000);
      await cloud.killAndRestart(wallClockOff(11 * minute));
      await still(cloud, { ...past, freshness: 'offline' }, 2000);
    }

    runAgent(file);
    await inFeed(cloud, { state: 'open', freshness: 'live', ports: onePortFree });
  },
);

test('what an unplugged board sensed is unknown, never free, and back by the same path', {
  timeout: testMs,
}, async () => {
  const { cloud, cloudData, pty } = await liveStation();
  const patches = follow(cloud.running().http);
  await waitFor('a patch', () => patches.length > 0, patientMs);
  await pty.unplug();
  await inFeed(cloud, { state: 'unknown', freshness: 'live', level: null, ports: noneKnown });
  expect(patches.map((status) => ports(status)?.free).filter((free) => free !== 1 && free !== null)).toEqual([]);
  await waitFor('the saved state', () => savedState(cloudData)?.people === 'unknown', patientMs);
  expect(savedState(cloudData)).toMatchObject({
    door: 'unknown',
    people: 'unknown',
    water: [{ hot: 'unknown', cold: 'unknown', tankPct: null, hotC: null }],
    ports: [
      { state: 'unknown', mw: null },
      { state: 'unknown', mw: null },
    ],
    sensors: { door: { health: 'silent' }, 'port-1': { health: 'silent' }, 'port-2': { health: 'silent' } },
  });
  await pty.plugIn();
  await inFeed(cloud, { state: 'open', freshness: 'live', ports: onePortFree });
  // The history comes behind the live state.
  await expect.poll(() => healthsOf(cloudData, 'port-2'), patiently).toEqual(['ok', 'silent', 'ok']);
});

function healthsOf(cloudData: string, sensor: string): string[] {
  return storedEvents(cloudData).flatMap(({ event }) =>
    event.kind === 'sensor' && event.sensor === sensor ? [event.health] : [],
  );
}

async function seen(cloud: MortalCloud): Promise<object> {
  const status = await readStatus(cloud.running().http);
  return { ...status, ports: ports(status) };
}

function inFeed(cloud: MortalCloud, status: object): Promise<void> {
  return expect.poll(() => seen(cloud), patiently).toMatchObject(status);
}

/** It is so now, and stays so for this long. */
async function still(cloud: MortalCloud, status: object, forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    expect(await seen(cloud)).toMatchObject(status);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
