import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isPassword } from '../../../cloud/broker/credentials.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import type { Store } from '../../../cloud/store/store.ts';
import { cloudCli } from '../../support/cloud-cli.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';

const least = ['--id', 'laojie', '--name', '老街驿站', '--region', '341002', '--lat', '29.714', '--lng', '118.316'];

/** A data folder and the command line on it. */
function place() {
  const data = join(tempDir(), 'data');
  return {
    data,
    cli: (...args: string[]) => cloudCli(...args, '--data', data),
    async store<T>(ask: (store: Store) => Promise<T>): Promise<T> {
      await using store = openSqliteStore(join(data, 'cloud.db'));
      return await ask(store);
    },
  };
}

/** Every byte that the folder keeps. */
const bytesOf = (folder: string): string =>
  readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');

describe('station add', () => {
  test('shows the password once and keeps only its hash', async () => {
    const { data, cli, store } = place();
    const { code, stdout, stderr } = await cli('station', 'add', ...least);
    expect({ code, stderr, first: stdout[0] }).toEqual({ code: 0, stderr: [], first: 'station laojie added' });
    const password = /username laojie\s+password (\S+)/.exec(stdout.join('\n'))?.[1] ?? '';
    expect(password).toMatch(/^[A-Za-z0-9_-]{24}$/);
    expect(bytesOf(data)).not.toContain(password);
    const credential = await store((open) => open.credential('laojie'));
    expect(credential && isPassword(credential, Buffer.from(password))).toBe(true);
    const listed = [...(await cli('station', 'list')).stdout, ...(await cli('station', 'list', '--json')).stdout];
    expect(listed.join('')).not.toContain(password);
  });

  test('gives JSON to a program', async () => {
    const { cli } = place();
    const { code, stdout } = await cli('station', 'add', ...least, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout.join(''))).toEqual({ id: 'laojie', username: 'laojie', password: expect.any(String) });
  });

  test('takes all that the register has, and makes the position WGS-84', async () => {
    const { cli } = place();
    await cli(
      ...['station', 'add', ...least, '--datum', 'gcj02', '--hours', 'Mo-Su 06:00-22:00', '--capacity', '12'],
      ...['--alias', '爱心驿站', '暖心驿站', '--facility', '微波炉', '--steward', '王', '--complaint-line', '12351'],
      ...['--address', '老街 1 号'],
    );
    const [record] = JSON.parse((await cli('station', 'list', '--json')).stdout.join(''));
    expect(record).toMatchObject({
      hours: 'Mo-Su 06:00-22:00',
      capacity: 12,
      aliases: ['爱心驿站', '暖心驿站'],
      facilities: ['微波炉'],
      steward: '王',
      complaintLine: '12351',
      address: '老街 1 号',
      timeZone: 'Asia/Shanghai',
    });
    expect(record.lng).toBeCloseTo(118.3108, 3);
  });

  test('of a station without sensors gives no password', async () => {
    const { cli, store } = place();
    expect((await cli('station', 'add', ...least, '--kind', 'lite')).stdout).toEqual(['station laojie added']);
    expect(await store((open) => open.credential('laojie'))).toBeNull();
    const json = await cli('station', 'add', ...least, '--id', 'xinjie', '--kind', 'lite', '--json');
    expect(JSON.parse(json.stdout.join(''))).toEqual({ id: 'xinjie' });
  });

  test('gives a station the time zone of the configuration', async () => {
    const { cli, store, data } = place();
    const config = join(tempDir(), 'cloud.yaml');
    writeFileSync(config, `dataDir: ${data}\ntimeZone: Asia/Urumqi\n`);
    expect((await cloudCli('station', 'add', ...least, '--config', config)).code).toBe(0);
    expect((await store((open) => open.stations()))[0]?.timeZone).toBe('Asia/Urumqi');
    expect((await cli('station', 'list')).stdout).toHaveLength(1);
  });

  test('of one that is there already changes nothing', async () => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    const before = await store((open) => open.credential('laojie'));
    const { code, stdout, stderr } = await cli('station', 'add', ...least, '--name', 'another');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: [],
      stderr: ['station laojie is in the register already'],
    });
    expect(await store((open) => open.credential('laojie'))).toEqual(before);
  });

  test('lists every wrong field', async () => {
    const { cli } = place();
    const wrong = ['--id', 'Big House', '--name', 'x', '--region', '1', '--lat', '91', '--lng', '118'];
    const { code, stderr } = await cli('station', 'add', ...wrong, '--hours', 'whenever', '--kind', 'big');
    expect(code).toBe(78);
    expect(stderr.join('\n').split('\n')).toEqual([
      'station add: 5 problems',
      '  id: expected 1 to 48 of a-z 0-9 -, found "Big House"',
      '  region: expected a six-digit adcode, found "1"',
      '  lat: expected number to be <=90, found 91',
      expect.stringMatching(/^ {2}hours: expected OpenStreetMap opening hours: /),
      expect.stringMatching(/^ {2}kind: /),
    ]);
  });

  test.each([
    [['--lat', '29,7'], 78, /--lat: expected degrees such as 29.714, found "29,7"/],
    [['--capacity', '0'], 64, /--capacity: expected a whole number from 1 to 10000/],
  ])('refuses %o', async (args, exitCode, message) => {
    const { code, stderr } = await place().cli('station', 'add', ...least, ...args);
    expect(code).toBe(exitCode);
    expect(stderr.join('\n')).toMatch(message);
  });

  test('without what it needs is a wrong use', async () => {
    const { code, stderr } = await place().cli('station', 'add', '--id', 'x');
    expect(code).toBe(64);
    expect(stderr.join('\n')).toMatch(/required option '--name <name>'/);
  });
});

describe('station remove', () => {
  test('ends the credential and leaves the entry', async () => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    const { code, stdout } = await cli('station', 'remove', '--id', 'laojie');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: ['station laojie removed: its credential no longer works, its history stays'],
    });
    expect(await store((open) => open.credential('laojie'))).toBeNull();
    expect((await cli('station', 'list')).stdout).toEqual(['laojie  老街驿站  341002  smart  24/7  removed']);
    const [record] = JSON.parse((await cli('station', 'list', '--json')).stdout.join(''));
    expect(Date.now() - record.removedAt).toBeLessThan(600_000);
  });

  test('gives JSON to a program, and fails where there is none', async () => {
    const { cli } = place();
    await cli('station', 'add', ...least);
    expect((await cli('station', 'remove', '--id', 'laojie', '--json')).stdout).toEqual([
      '{"id":"laojie","removed":true}',
    ]);
    const again = await cli('station', 'remove', '--id', 'laojie');
    expect(again).toEqual({ code: 1, stdout: [], stderr: ['no station laojie in the register'] });
  });

  test('is undone by adding it again, with a new password', async () => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    const before = await store((open) => open.credential('laojie'));
    await cli('station', 'remove', '--id', 'laojie');
    expect((await cli('station', 'add', ...least)).code).toBe(0);
    const after = await store((open) => open.credential('laojie'));
    expect(after).not.toBeNull();
    expect(after).not.toEqual(before);
  });
});

describe('alarms', () => {
  const raise = (store: Store, kind: string, sinceMs: number) =>
    store.raiseAlarm({ station: 'laojie', kind, sinceMs, detail: `about ${kind}` });

  test('lists them, the newest first', async () => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    expect(await cli('alarms')).toEqual({ code: 0, stdout: [], stderr: [] });
    await store(async (open) => {
      await raise(open, 'tail-unknown', Date.UTC(2026, 10, 23, 2));
      await raise(open, 'duplicate-identity', Date.UTC(2026, 10, 24, 2));
    });
    expect((await cli('alarms')).stdout).toEqual([
      '2026-11-24T02:00:00Z  laojie  duplicate-identity  about duplicate-identity',
      '2026-11-23T02:00:00Z  laojie  tail-unknown  about tail-unknown',
    ]);
    const json = JSON.parse((await cli('alarms', '--json')).stdout.join(''));
    expect(json[0]).toEqual({
      station: 'laojie',
      kind: 'duplicate-identity',
      sinceMs: Date.UTC(2026, 10, 24, 2),
      detail: 'about duplicate-identity',
    });
  });
});

describe('command', () => {
  /** Answers as a station would, once the command is there. */
  async function answer(store: Store, reply: { ok: boolean }): Promise<void> {
    const command = await waitFor('the command', async () => (await store.openCommands(Date.now()))[0]);
    expect(command).toMatchObject({ station: 'laojie', name: 'report-now', args: {} });
    expect(command.expires - Date.now()).toBeLessThan(60_001);
    await store.answerCommand('laojie', command.id, JSON.stringify({ v: 1, id: command.id, ...reply }));
  }

  test.each([
    [{ ok: true }, 0],
    [{ ok: false }, 1],
  ])('waits for the reply %o: exit code %s', async (reply, exitCode) => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    const asked = cli('command', '--id', 'laojie', '--name', 'report-now');
    await store((open) => answer(open, reply));
    const { code, stdout, stderr } = await asked;
    expect(code).toBe(exitCode);
    expect(stdout).toEqual([expect.stringMatching(/^laojie: \{"v":1,/)]);
    expect(stderr).toEqual(exitCode === 0 ? [] : ['report-now failed']);
  });

  test('gives the reply as JSON to a program', async () => {
    const { cli, store } = place();
    await cli('station', 'add', ...least);
    const asked = cli('command', '--id', 'laojie', '--name', 'report-now', '--json');
    await store((open) => answer(open, { ok: true }));
    expect(JSON.parse((await asked).stdout.join(''))).toMatchObject({ ok: true });
  });

  test('says so where nobody answers in time, and where there is no such station', async () => {
    const { cli } = place();
    await cli('station', 'add', ...least);
    const late = await cli('command', '--id', 'laojie', '--name', 'report-now', '--expires', '1');
    expect(late).toMatchObject({ code: 1, stderr: [expect.stringMatching(/^laojie did not answer within 1 s: /)] });
    const none = await cli('command', '--id', 'nobody', '--name', 'report-now');
    expect(none).toMatchObject({ code: 1, stderr: ['no station nobody in the register'] });
  });
});

test('a store that cannot be opened is told, with the exit code of storage', async () => {
  const { data, cli } = place();
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'cloud.db'), 'no database'.repeat(1000));
  const { code, stderr } = await cli('station', 'list');
  expect(code).toBe(74);
  expect(stderr.join('\n')).toContain(join(data, 'cloud.db'));
});

test('a mistyped data directory is no empty register, and is left as it is', async () => {
  const { data, cli } = place();
  for (const command of [
    ['station', 'list'],
    ['station', 'remove', '--id', 'a'],
    ['alarms'],
    ['command', '--id', 'a', '--name', 'report-now'],
  ]) {
    const { code, stderr } = await cli(...command);
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: [expect.stringContaining("expected a cloud's store, found nothing")],
    });
  }
  expect(existsSync(data)).toBe(false);
});
