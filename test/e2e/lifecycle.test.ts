import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startProxy, type TcpProxy } from '../../simulator/faults/proxy.ts';
import { cliAddStation } from '../support/cloud-cli.ts';
import { handBoard } from '../support/hand-board.ts';
import { logged, type RunningCloud, startCloudProgram } from '../support/programs.ts';
import { openPty } from '../support/pty.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { isLive, readStatus } from './feed.ts';
import { patiently, patientMs, preloaded, runAgent, type StationFile, station, stationFile } from './rig.ts';
import { ownEvents, rolledUp, storedEvents } from './store.ts';

const testMs = 180_000;

type OldNode = { node: string; path: string; env: NodeJS.ProcessEnv; code: number; says: (program: string) => RegExp };

const tooOld = (program: string): RegExp =>
  new RegExp(`^yizhan needs Node 24 or newer, found \\d+\\.\\S+: install it, or use "npm run ${program} -- …"\\n$`);
const pretend = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.18.0" } })';

/** One that says that it is old, and those of this machine that are. */
const oldNodes: OldNode[] = [
  { node: '22.18.0, pretended', path: process.execPath, env: preloaded(pretend), code: 78, says: tooOld },
  ...machineNodes()
    .filter(({ major }) => major < 24)
    .map(({ path, version, major }) => ({
      node: `${version} of this machine`,
      path,
      env: {},
      // It cannot read TypeScript, and so not the line that would say it: README, "Two commands".
      ...(major < 22 ? { code: 1, says: () => /ERR_UNKNOWN_FILE_EXTENSION/ } : { code: 78, says: tooOld }),
    })),
];

test.each(oldNodes)('Node $node is told that it is too old', ({ path, env, code, says }) => {
  for (const program of ['agent', 'cloud', 'simulator']) {
    const ran = spawnSync(path, [`${program}/main.ts`, '--help'], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect({ program, code: ran.status, stdout: ran.stdout }).toEqual({ program, code, stdout: '' });
    expect(ran.stderr).toMatch(says(program));
  }
});

function machineNodes(): { path: string; version: string; major: number }[] {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', '/usr/local/bin'];
  const paths = folders.map((folder) => join(folder, 'node')).filter((path) => existsSync(path));
  return [...new Set(paths.map((path) => realpathSync(path)))].map((path) => {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.trim();
    return { path, version, major: Number.parseInt(version.slice(1), 10) };
  });
}

type Unreachable = { cloud: RunningCloud; uplink: TcpProxy };

test.each([
  {
    what: 'whose uplink is cut',
    from: 'later',
    lose: ({ uplink }: Unreachable) => uplink.cut(),
    mend: ({ uplink }: Unreachable) => uplink.mend(),
  },
  {
    what: 'that hangs',
    from: 'later',
    lose: ({ cloud }: Unreachable) => void cloud.child.kill('SIGSTOP'),
    mend: ({ cloud }: Unreachable) => void cloud.child.kill('SIGCONT'),
  },
  {
    what: 'that never was there',
    from: 'the start',
    lose: ({ uplink }: Unreachable) => uplink.cut(),
    mend: ({ uplink }: Unreachable) => uplink.mend(),
  },
])(
  'SIGTERM without a cloud, $what, ends the agent with 0 within 5 s, and nothing is lost',
  { timeout: testMs },
  async ({ from, lose, mend }) => {
    const directory = tempDir();
    const cloudData = join(directory, 'cloud');
    const { password } = await cliAddStation(cloudData, station);
    const cloud = await startCloudProgram(cloudData);
    const uplink = await startProxy({ host: '127.0.0.1', port: cloud.mqttPort });
    onTestFinished(() => uplink[Symbol.asyncDispose]());
    const pty = await openPty();
    const file = stationFile(directory, {
      cloud: { url: `mqtt://127.0.0.1:${uplink.port}`, password },
      sensors: [{ driver: 'board', port: pty.path }],
      reportIntervalS: 5,
      link: { backoffFirstS: 0.2, backoffMaxS: 1 },
    });
    if (from === 'the start') lose({ cloud, uplink });
    const agent = runAgent(file);
    const board = handBoard(pty.write);
    board.say('people', { in: 0, out: 0 });
    board.say('door', { open: 0 });
    await untilDoors(file, [false]);
    if (from === 'later') {
      await isLive(cloud);
      lose({ cloud, uplink });
    }
    board.say('people', { in: 3 });
    for (const open of [1, 0, 1]) board.say('door', { open });
    await untilDoors(file, [false, true, false, true]);

    const askedMs = performance.now();
    expect(await agent.kill('SIGTERM')).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(5000);
    expect(await logged(agent, 'agent stopped')).toMatchObject({ drained: false });

    mend({ cloud, uplink });
    runAgent(file);
    await waitFor('the visits', () => rolledUp(cloudData).visits === 3, patientMs);
    const doors = storedEvents(cloudData).flatMap(({ order, event }) =>
      event.kind === 'door' ? [`${order}: ${event.open}`] : [],
    );
    expect(doors.slice(0, 4)).toEqual(['1: false', '1: true', '1: false', '1: true']);
    expect(rolledUp(cloudData)).toMatchObject({ visits: 3 });
  },
);

test('SIGHUP takes a changed file, says what is wrong with one that is not taken, and goes on', {
  timeout: testMs,
}, async () => {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const { password } = await cliAddStation(cloudData, station);
  const cloud = await startCloudProgram(cloudData);
  const pty = await openPty();
  const fields = {
    cloud: { url: `mqtt://127.0.0.1:${cloud.mqttPort}`, password },
    sensors: [{ driver: 'board', port: pty.path }],
  };
  const agent = runAgent(stationFile(directory, { ...fields, reportIntervalS: 30 }));
  const board = handBoard(pty.write);
  board.say('people', { in: 0, out: 0 });
  await inFeed(cloud, { freshness: 'live', level: 'quiet', report_interval_s: 30 });

  stationFile(directory, { ...fields, reportIntervalS: 1, measureEvery: 10 });
  agent.child.kill('SIGHUP');
  expect(await logged(agent, 'configuration not taken', patientMs)).toMatchObject({
    level: 50,
    issues: [expect.stringContaining('reportIntervalS'), expect.stringContaining('measureEvery')],
  });
  board.say('people', { in: 1 });
  await waitFor('the visit', () => rolledUp(cloudData).visits === 1, patientMs);

  stationFile(directory, { ...fields, reportIntervalS: 7 });
  agent.child.kill('SIGHUP');
  await inFeed(cloud, { freshness: 'live', level: 'quiet', report_interval_s: 7 });
  board.say('people', { in: 2 });
  await waitFor('the next visit', () => rolledUp(cloudData).visits === 2, patientMs);
  const told = storedEvents(cloudData).flatMap(({ order, event }) =>
    event.kind === 'agent' ? [`${order} ${event.what}`] : [],
  );
  expect(told.filter((what) => !what.endsWith('clock-set'))).toEqual([
    '1 started',
    '1 stopped',
    '2 started',
    '2 config-applied',
  ]);
  expect(agent.child.exitCode).toBeNull();
});

function inFeed({ http }: RunningCloud, status: object): Promise<void> {
  return expect.poll(() => readStatus(http), patiently).toMatchObject(status);
}

/** What the agent's own outbox has of its door. */
async function untilDoors({ dataDir }: StationFile, open: boolean[]): Promise<void> {
  const doors = (): boolean[] => ownEvents(dataDir).flatMap((event) => (event.kind === 'door' ? [event.open] : []));
  await expect.poll(doors, patiently).toEqual(open);
}
