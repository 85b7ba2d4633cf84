import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { runProgram, startProgram } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { readStatuses } from './feed.ts';
import { patientMs } from './rig.ts';

const testMs = 180_000;
/** What `npm start` promises, from the start of its servers. */
const promisedMs = 60_000;

const anyPort = ['--http-port', '0', '--mqtt-port', '0'];
const progressLine = (stations: number): RegExp =>
  new RegExp(`^${stations} of ${stations} live · .*ports free \\d+ of \\d+$`);

test('five stations are live within a minute and their numbers change, until SIGINT ends every process', {
  timeout: testMs,
}, async () => {
  const demo = startProgram('simulator', ['demo', '--stations', '5', ...anyPort, '--data', tempDir()]);
  const address = /^cloud +(http:\/\/127\.0\.0\.1:\d+)\/ /;
  const http = await waitFor('the address', () => address.exec(demo.stdout[0] ?? '')?.[1], patientMs);
  await areLive(http, 5);
  const before = JSON.stringify(await features(http));
  await waitFor('numbers that change', async () => JSON.stringify(await features(http)) !== before, patientMs);
  await waitFor('a line of progress', () => demo.stdout.some((line) => progressLine(5).test(line)), patientMs);

  const processes = descendants(demo.child.pid ?? 0);
  expect(processes).toHaveLength(1 + 5);
  expect(await demo.kill('SIGINT'), demo.stderr.join('\n')).toBe(0);
  expect(processes.filter(isAlive)).toEqual([]);
  expect(demo.stdout.at(-1)).toBe('stopped: nothing is left running');
  expect(demo.stderr).toEqual([]);
});

test('eight stations, told as JSON lines; a terminal’s Ctrl-C, which every process hears, ends them too', {
  timeout: testMs,
}, async () => {
  const demo = startProgram('simulator', ['demo', '--stations', '8', ...anyPort, '--data', tempDir(), '--json']);
  await waitFor('the addresses', () => demo.stdout.length > 0, patientMs);
  const { cloud } = JSON.parse(demo.stdout[0] ?? '') as { cloud: string };
  await areLive(cloud.replace(/\/$/, ''), 8);
  const processes = descendants(demo.child.pid ?? 0);
  expect(processes).toHaveLength(1 + 8);
  for (const pid of processes) process.kill(pid, 'SIGINT');
  expect(await demo.kill('SIGINT'), demo.stderr.join('\n')).toBe(0);
  expect(processes.filter(isAlive)).toEqual([]);
  const told = demo.stdout.map((line) => Object.keys(JSON.parse(line)).join(' '));
  expect([...new Set(told)]).toEqual(['cloud broker data', 'progress', 'stopped']);
});

test('Ctrl-C while it still starts ends it as well', { timeout: testMs }, async () => {
  const demo = startProgram('simulator', ['demo', '--stations', '2', ...anyPort, '--data', tempDir()]);
  const pid = demo.child.pid ?? 0;
  const starting = await waitFor('its first program', () => descendants(pid).at(0), patientMs);
  for (const one of [starting, pid]) process.kill(one, 'SIGINT');
  expect({ code: await demo.exited, stderr: demo.stderr }).toEqual({ code: 0, stderr: [] });
  expect(isAlive(starting)).toBe(false);
});

test.each(['--http-port', '--mqtt-port'])('a taken %s ends it with one line', { timeout: testMs }, async (option) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = String(typeof address === 'object' ? address?.port : 0);
  const args = ['demo', ...anyPort, '--data', tempDir(), option, port];
  const { code, stdout, stderr } = await runProgram('simulator', args);
  const line = `port ${port} is taken: choose another with ${option}`;
  expect({ code, stdout, stderr }).toEqual({ code: 78, stdout: '', stderr: line });
});

async function areLive(http: string, stations: number): Promise<void> {
  const freshness = async (): Promise<(string | null)[]> =>
    (await readStatuses(http)).map((status) => status.freshness);
  await expect.poll(freshness, { timeout: promisedMs }).toEqual(Array(stations).fill('live'));
}

async function features(http: string): Promise<object[]> {
  return (await readStatuses(http)).map((status) => status.features);
}

/** Processes that it started, and theirs. */
function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
