import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError } from '../../../protocol/host/config-error.ts';
import { lockDirectory } from '../../../protocol/host/dir-lock.ts';
import { tempDir } from '../../support/temp-dir.ts';

const holder = fileURLToPath(new URL('lock-holder.ts', import.meta.url));

type Other = { says: string; end: (signal: NodeJS.Signals) => Promise<void> };

/** Another process that wants the lock, and what it says first: `locked`, or why not. */
async function otherProcess(directory: string): Promise<Other> {
  const child = spawn(process.execPath, [holder, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  onTestFinished(() => end('SIGKILL'));
  const [says] = await once(child.stdout, 'data');
  return { says: String(says), end };
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.report;
    throw error;
  }
  return 'not refused';
}

const lock = (directory: string): Disposable => lockDirectory(directory, 'agent.lock', 'agent');

test('makes the directory that it locks', () => {
  const directory = join(tempDir(), 'var', 'lib');
  using _lock = lock(directory);
  expect(existsSync(join(directory, 'agent.lock'))).toBe(true);
});

test('a second process is refused with a clear line, as long as the first one lives', async () => {
  const directory = tempDir();
  using _lock = lock(directory);
  const report = `${directory}: 1 problem\n  another agent is using this directory`;
  expect((await otherProcess(directory)).says).toBe(report);
  expect((await otherProcess(directory)).says).toBe(report);
});

test('the lock goes with its process, however that ends', async () => {
  const directory = tempDir();
  const first = await otherProcess(directory);
  expect(first.says).toBe('locked');
  expect(refusal(() => lock(directory))).toBe(`${directory}: 1 problem\n  another agent is using this directory`);
  await first.end('SIGKILL');
  const second = await otherProcess(directory);
  expect(second.says).toBe('locked');
  await second.end('SIGTERM');
  lock(directory)[Symbol.dispose]();
});

test('those that were refused leave the lock in force, and no files open', async () => {
  const directory = tempDir();
  const first = lock(directory);
  for (let turn = 0; turn < 20; turn++) expect(refusal(() => lock(directory))).toContain('another agent');
  // SQLite itself keeps one descriptor back: closing it would drop the lock of the whole process.
  expect(filesOpenIn(directory)).toBeLessThanOrEqual(2);
  expect((await otherProcess(directory)).says).toContain('another agent is using this directory');
  first[Symbol.dispose]();
  expect(filesOpenIn(directory)).toBe(0);
});

test('given back, it can be had again', () => {
  const directory = tempDir();
  lock(directory)[Symbol.dispose]();
  expect(filesOpenIn(directory)).toBe(0);
  lock(directory)[Symbol.dispose]();
});

test('another lock of the same directory is another lock', () => {
  const directory = tempDir();
  using _agent = lock(directory);
  using _cloud = lockDirectory(directory, 'cloud.lock', 'cloud');
  expect(refusal(() => lockDirectory(directory, 'cloud.lock', 'cloud'))).toContain('another cloud is using');
});

test('a directory that cannot be used is refused with the reason', () => {
  const file = join(tempDir(), 'file');
  writeFileSync(file, '');
  expect(refusal(() => lock(file))).toMatch(/file: 1 problem\n {2}EEXIST/);
  expect(refusal(() => lock(join(file, 'below')))).toMatch(/below: 1 problem\n {2}ENOTDIR/);
});

test('a lock file that something else left there is refused with the reason', () => {
  const directory = tempDir();
  writeFileSync(join(directory, 'agent.lock'), 'not a lock of ours, and long enough to look at'.repeat(100));
  expect(refusal(() => lock(directory))).toMatch(/1 problem\n {2}file is not a database$/);
  expect(filesOpenIn(directory)).toBe(0);
});

function filesOpenIn(directory: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}
