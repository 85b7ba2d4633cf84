import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { startTestCloud } from '../support/cloud.ts';
import { cloudCli } from '../support/cloud-cli.ts';
import { runProgram } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Each test that starts a program may wait for a busy machine. */
const patient = { timeout: 60_000 };
const anyPorts = ['--http-port', '0', '--mqtt-port', '0'];

test('--help names every command, and each command’s --help its options', async () => {
  const { code, stdout, stderr } = await cloudCli('--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
  for (const command of ['serve', 'station', 'command'])
    expect(stdout.join('\n')).toMatch(new RegExp(`^  ${command} `, 'm'));
  const serve = (await cloudCli('serve', '--help')).stdout.join('\n');
  for (const option of ['--config', '--data', '--http-port', '--mqtt-port', '--broker'])
    expect(serve).toContain(option);
  const station = (await cloudCli('station', '--help')).stdout.join('\n');
  for (const command of ['add', 'list', 'remove', 'import']) expect(station).toMatch(new RegExp(`^  ${command} `, 'm'));
});

test('--version says the version of the package', async () => {
  expect(await cloudCli('--version')).toEqual({ code: 0, stdout: ['0.1.0'], stderr: [] });
});

test.each([
  { args: ['nonsense'], line: "error: unknown command 'nonsense'" },
  { args: ['serve', '--nonsense'], line: "error: unknown option '--nonsense'" },
  { args: ['serve', '--http-port', 'web'], line: '--http-port: expected a whole number from 0 to 65535, found "web"' },
  {
    args: ['serve', '--mqtt-port', '65536'],
    line: '--mqtt-port: expected a whole number from 0 to 65535, found "65536"',
  },
  { args: ['serve', '--mqtt-port', '-1'], line: '--mqtt-port: expected a whole number from 0 to 65535, found "-1"' },
])('$args is wrong use: one line, exit code 64', async ({ args, line }) => {
  expect(await cloudCli(...args)).toEqual({ code: 64, stdout: [], stderr: [line] });
});

test('every wrong field of a configuration is listed, exit code 78', async () => {
  const file = join(tempDir(), 'cloud.yaml');
  writeFileSync(
    file,
    'http: { port: many }\nfeed: { beatS: 0, colour: red }\ntimeZone: Mars/Olympus\nbroker: { url: http://x }\n',
  );
  expect(await cloudCli('serve', '--config', file)).toEqual({
    code: 78,
    stdout: [],
    stderr: [
      [
        `${file}: 5 problems`,
        '  http.port: expected number, found "many"',
        '  broker.url: expected mqtt://host[:port] or mqtts://host[:port], found "http://x"',
        '  feed.beatS: expected number to be >0, found 0',
        '  feed.colour: not a known field',
        '  timeZone: expected an IANA time zone such as Asia/Shanghai, found "Mars/Olympus"',
      ].join('\n'),
    ],
  });
});

test.each([
  {
    args: ['--broker', 'http://broker'],
    report:
      'command line: 1 problem\n  broker.url: expected mqtt://host[:port] or mqtts://host[:port], found "http://broker"',
  },
  { args: ['--config', '/nowhere/cloud.yaml'], report: /^\/nowhere\/cloud\.yaml: 1 problem\n {2}.*ENOENT.*$/ },
])('serve $args: exit code 78', async ({ args, report }) => {
  const { code, stdout, stderr } = await cloudCli('serve', ...args);
  expect({ code, stdout }).toEqual({ code: 78, stdout: [] });
  expect(stderr).toEqual([typeof report === 'string' ? report : expect.stringMatching(report)]);
});

test.each(['http', 'mqtt'])(
  'a taken %s port ends the program with what to do about it, exit code 78',
  patient,
  async (which) => {
    const other = await startTestCloud();
    const port = which === 'http' ? Number(new URL(other.http).port) : other.mqttPort;
    const { code, stderr } = await runProgram('cloud', [
      'serve',
      '--data',
      tempDir(),
      ...anyPorts,
      `--${which}-port`,
      String(port),
    ]);
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: `${which}: 1 problem\n  port ${port} is taken: choose another with --${which}-port`,
    });
  },
);

test('a store that a newer program wrote is refused and left alone, exit code 74', patient, async () => {
  const dataDir = tempDir();
  const path = join(dataDir, 'cloud.db');
  const db = new Database(path);
  db.pragma('user_version = 99');
  db.close();
  const refused = { code: 74, stdout: [], stderr: [`${path}: store schema 99 is newer than this program's 1`] };
  expect(await cloudCli('serve', '--data', dataDir, ...anyPorts)).toEqual(refused);
  expect(await cloudCli('station', 'list', '--data', dataDir)).toEqual(refused);
  const after = new Database(path);
  expect(after.pragma('user_version', { simple: true })).toBe(99);
  expect(after.pragma('page_count', { simple: true })).toBe(1);
  after.close();
});

test('a file that is no database is refused, exit code 74', patient, async () => {
  const dataDir = tempDir();
  writeFileSync(join(dataDir, 'cloud.db'), 'not a database '.repeat(1000));
  const stderr = [`${join(dataDir, 'cloud.db')}: file is not a database`];
  expect(await cloudCli('serve', '--data', dataDir, ...anyPorts)).toEqual({ code: 74, stdout: [], stderr });
});

test('a Node that is too old is told so before anything else, exit code 78', patient, () => {
  const pretend = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"22.18.0"})';
  const main = fileURLToPath(new URL('../../cloud/main.ts', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ['--import', pretend, main, '--help'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 78,
    stderr: 'yizhan needs Node 24 or newer, found 22.18.0: install it, or use "npm run cloud -- …"\n',
  });
});
