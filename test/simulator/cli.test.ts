import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../support/programs.ts';
import { simulatorCli } from '../support/simulator-cli.ts';
import { tempDir } from '../support/temp-dir.ts';

const commands = ['board', 'station', 'fleet', 'demo', 'verify'];

test('--help names every command, and each command’s --help its options', async () => {
  const { code, stdout } = await simulatorCli('--help');
  expect(code).toBe(0);
  for (const command of commands) {
    expect(stdout.join('\n')).toMatch(new RegExp(`^  ${command} `, 'm'));
    const help = await simulatorCli(command, '--help');
    expect(help.code).toBe(0);
    expect(help.stdout.join('\n')).toMatch(/^Usage: simulator \w+ \[options\][\s\S]*--json/);
  }
});

test.each([
  { args: ['verify', '--wait', 'soon'], line: '--wait: expected a number from 0 to 1000000, found "soon"' },
  { args: ['verify', '--late', '-1'], line: '--late: expected a number from 0 to 1000000000, found "-1"' },
  { args: ['verify', '--nonsense'], line: "error: unknown option '--nonsense'" },
  { args: ['nonsense'], line: "error: unknown command 'nonsense'" },
  { args: ['board', '--garble', '1.5'], line: '--garble: expected a number from 0 to 1, found "1.5"' },
  { args: ['board', '--speed', '0'], line: '--speed: expected a number from above 0 to 1000000000, found "0"' },
  { args: ['board', '--seed', '-3'], line: '--seed: expected a whole number from 0 to 4294967295, found "-3"' },
  { args: ['board', '--tcp', 'nowhere'], line: '--tcp: expected host:port, found "nowhere"' },
  { args: ['board', '--tcp', '127.0.0.1:65536'], line: '--tcp: expected host:port, found "127.0.0.1:65536"' },
  {
    args: ['board', '--uplink', 'http://x'],
    line: '--uplink: expected mqtt://host[:port] or mqtts://host[:port], found "http://x"',
  },
  { args: ['station', '--cut-uplink-every', '5'], line: '--cut-uplink-every: expected --uplink with it, found none' },
  { args: ['board', '--tcp', 'a:1', '--pty', '/tmp/x'], line: 'expected one of --tcp and --pty' },
  { args: ['station', '--ports', '17'], line: '--ports: expected a whole number from 0 to 16, found "17"' },
  {
    args: ['station', '--station', 'No Station'],
    line: '--station: expected 1 to 48 of a-z 0-9 -, found "No Station"',
  },
  {
    args: ['station', '--local-port', '65536'],
    line: '--local-port: expected a whole number from 0 to 65535, found "65536"',
  },
  { args: ['fleet', '--stations', '0'], line: '--stations: expected a whole number from 1 to 200000, found "0"' },
  {
    args: ['fleet', '--preset', 'mars'],
    line: /^error: option '--preset <name>' argument 'mars' is invalid\. Allowed choices are tunxi,/,
  },
  {
    args: ['fleet', '--cloud', 'http://x'],
    line: '--cloud: expected mqtt://host[:port] or mqtts://host[:port], found "http://x"',
  },
  { args: ['demo', '--stations', '201'], line: '--stations: expected a whole number from 1 to 200, found "201"' },
  { args: ['demo', '--http-port', 'web'], line: '--http-port: expected a whole number from 0 to 65535, found "web"' },
])('refuses $args with one line and exit code 64', async ({ args, line }) => {
  const { code, stdout, stderr } = await simulatorCli(...args);
  expect({ code, stdout, stderr }).toEqual({
    code: 64,
    stdout: [],
    stderr: [typeof line === 'string' ? line : expect.stringMatching(line)],
  });
});

test('a taken port ends the program with one line and exit code 69', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const at = (option: string): string[] => ['--ledger', join(tempDir(), 'ledger'), option];
  for (const args of [
    ['board', ...at('--tcp'), `127.0.0.1:${port}`],
    ['station', ...at('--local-port'), String(port)],
  ]) {
    const { code, stderr } = await runProgram('simulator', args);
    expect({ args, code, stderr }).toEqual({
      args,
      code: 69,
      stderr: expect.stringMatching(new RegExp(`^127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*$`)),
    });
  }
});

test('the program itself ends with the code of its command line', async () => {
  const { code, stdout, stderr } = await runProgram('simulator', ['fleet', '--ports', 'x']);
  expect({ code, stdout, stderr }).toEqual({
    code: 64,
    stdout: '',
    stderr: '--ports: expected a whole number from 0 to 16, found "x"',
  });
});
