import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isPassword } from '../../../cloud/broker/credentials.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import type { Store } from '../../../cloud/store/store.ts';
import { cloudCli } from '../../support/cloud-cli.ts';
import { tempDir } from '../../support/temp-dir.ts';

const head = 'id,name,region,lat,lng,datum,kind';
const row = (id: string, name = `${id}驿站`, kind = 'smart') => `${id},${name},341002,29.714,118.316,wgs84,${kind}`;

function place() {
  const folder = tempDir();
  const data = join(folder, 'data');
  const credentials = join(folder, 'passwords.csv');
  return {
    credentials,
    import(rows: string[], ...args: string[]) {
      const file = join(folder, 'stations.csv');
      writeFileSync(file, [head, ...rows, ''].join('\n'));
      return cloudCli('station', 'import', file, '--data', data, ...args);
    },
    async store<T>(ask: (store: Store) => Promise<T>): Promise<T> {
      await using store = openSqliteStore(join(data, 'cloud.db'));
      return await ask(store);
    },
    logins: () => readFileSync(credentials, 'utf8').trim().split('\n'),
  };
}

const names = (store: Store) => store.stations().then((all) => all.map(({ id, name }) => `${id} ${name}`));
const passwordWorks = async (store: Store, id: string, password: string | undefined): Promise<boolean> => {
  const credential = await store.credential(id);
  return credential !== null && isPassword(credential, Buffer.from(password ?? ''));
};

test('new stations are added, their passwords go into a file that only its owner reads', async () => {
  const { credentials, store, logins, ...at } = place();
  const rows = [row('a'), row('b', '新街', 'lite'), row('c')];
  expect(await at.import(rows, '--credentials', credentials)).toEqual({
    code: 0,
    stdout: ['3 stations added, 0 updated'],
    stderr: [],
  });
  expect(await store(names)).toEqual(['a a驿站', 'b 新街', 'c c驿站']);
  expect(statSync(credentials).mode & 0o777).toBe(0o600);
  const [first, ...rest] = logins();
  expect(first).toBe('id,username,password');
  expect(rest.map((line) => line.split(',').slice(0, 2).join())).toEqual(['a,a', 'c,c']);
  for (const line of rest) {
    const [id = '', , password] = line.split(',');
    expect(await store((open) => passwordWorks(open, id, password))).toBe(true);
  }
});

test('known stations are changed and keep their password; no file is needed for that', async () => {
  const { credentials, store, logins, ...at } = place();
  await at.import([row('a')], '--credentials', credentials);
  const password = logins()[1]?.split(',')[2];
  const { code, stdout } = await at.import([row('a', '新名')]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: ['0 stations added, 1 updated'] });
  expect(await store(names)).toEqual(['a 新名']);
  expect(await store((open) => passwordWorks(open, 'a', password))).toBe(true);
  expect((await at.import([row('a', '又名')], '--credentials', credentials)).code).toBe(0);
  expect(logins()).toHaveLength(2);
});

test('a listing that gets sensors gets a password', async () => {
  const { credentials, store, logins, ...at } = place();
  await at.import([row('a', 'A', 'lite')]);
  expect((await at.import([row('a', 'A', 'smart')])).code).toBe(78);
  expect((await at.import([row('a', 'A', 'smart')], '--credentials', credentials)).stdout).toEqual([
    '0 stations added, 1 updated',
  ]);
  const password = logins()[1]?.split(',')[2];
  expect(await store((open) => passwordWorks(open, 'a', password))).toBe(true);
});

test('a removed station is added again', async () => {
  const { credentials, store, ...at } = place();
  await at.import([row('a')], '--credentials', credentials);
  await store((open) => open.removeStation('a', 1));
  const { stdout } = await at.import([row('a')], '--credentials', `${credentials}.2`);
  expect(stdout).toEqual(['1 stations added, 0 updated']);
});

test('a program gets the counts as JSON, and the passwords where no file is named', async () => {
  const { credentials, ...at } = place();
  const first = JSON.parse((await at.import([row('a')], '--json')).stdout.join(''));
  expect(first).toEqual({
    added: 1,
    updated: 0,
    credentials: [{ id: 'a', username: 'a', password: expect.stringMatching(/^\S{24}$/) }],
  });
  const second = JSON.parse((await at.import([row('b')], '--json', '--credentials', credentials)).stdout.join(''));
  expect(second).toEqual({ added: 1, updated: 0 });
});

test('nothing is imported where a line is wrong: every one is listed', async () => {
  const { credentials, store, ...at } = place();
  const { code, stdout, stderr } = await at.import(
    [row('a'), row('B'), row('c', ''), row('a')],
    '--credentials',
    credentials,
  );
  expect({ code, stdout }).toEqual({ code: 78, stdout: [] });
  expect(stderr.join('\n').split('\n').slice(1)).toEqual([
    '  line 3: id: expected 1 to 48 of a-z 0-9 -, found "B"',
    '  line 4: name: Too small: expected string to have >=1 characters, found ""',
    '  line 5: id: a stands in line 2 already',
  ]);
  expect(await store(names)).toEqual([]);
  expect(() => statSync(credentials)).toThrow();
});

test('passwords that nobody would see are not made', async () => {
  const { store, ...at } = place();
  const { code, stderr } = await at.import([row('a')]);
  expect(code).toBe(78);
  expect(stderr.join('\n')).toMatch(/1 new stations get passwords: expected --credentials <file>.* or --json/);
  expect(await store(names)).toEqual([]);
});

test('a file with passwords is not overwritten, and nothing is imported then', async () => {
  const { credentials, store, ...at } = place();
  writeFileSync(credentials, 'precious');
  const { code, stderr } = await at.import([row('a')], '--credentials', credentials);
  expect(code).toBe(78);
  expect(stderr.join('\n')).toMatch(/passwords\.csv: 1 problem\s+cannot be written: EEXIST/);
  expect(readFileSync(credentials, 'utf8')).toBe('precious');
  expect(await store(names)).toEqual([]);
});

test('a file that is not there is told', async () => {
  const { code, stderr } = await cloudCli('station', 'import', '/nowhere.csv', '--data', tempDir());
  expect(code).toBe(78);
  expect(stderr.join('\n')).toMatch(/^\/nowhere\.csv: 1 problem\s+cannot be read: ENOENT/);
});
