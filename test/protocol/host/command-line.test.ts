import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { CommandError, type Host, integerOption, runCommandLine } from '../../../protocol/host/command-line.ts';
import { ConfigError } from '../../../protocol/host/config-error.ts';
import { exitCodes } from '../../../protocol/host/exit-codes.ts';
import { LinkError } from '../../../protocol/host/session.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { runProgram } from '../../support/programs.ts';

type Ended = { code: number; stdout: string[]; stderr: string[] };

/** Runs `tool go [--n <n>]`, `tool group inner` and what commander adds. */
async function run(args: readonly string[], work: () => unknown = () => {}): Promise<Ended> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const host: Host = {
    env: {},
    print: (line) => void stdout.push(line),
    complain: (line) => void stderr.push(line),
    onSignal: () => {},
    exit: () => {},
  };
  const program = new Command('tool').version('1.2.3').description('A tool');
  program
    .command('go')
    .option('--n <n>', 'how often', integerOption('--n', 1, 10))
    .action(async (options: { n?: number }) => {
      host.print(`n ${options.n}`);
      await work();
    });
  program
    .command('group')
    .command('inner')
    .requiredOption('--id <id>')
    .action(() => {});
  const code = await runCommandLine(program, ['node', 'tool', ...args], host);
  return { code, stdout, stderr };
}

const fails = (error: unknown) => () => {
  throw error;
};

describe('the exit code', () => {
  test('is 0 where all went well', async () => {
    expect(await run(['go', '--n', '3'])).toEqual({ code: 0, stdout: ['n 3'], stderr: [] });
  });

  test.each([
    { what: 'help', args: ['--help'], says: /^Usage: tool/ },
    { what: 'help of a command', args: ['group', 'inner', '--help'], says: /^Usage: tool group inner/ },
    { what: 'the version', args: ['--version'], says: /^1\.2\.3$/ },
  ])('is 0 for $what, which goes to stdout', async ({ args, says }) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: [] });
    expect(stdout.join('\n')).toMatch(says);
  });

  test.each<{ what: string; error: unknown; code: number; says: string }>([
    {
      what: 'a wrong configuration',
      error: new ConfigError('a.yaml', ['b: wrong', 'c: too']),
      code: 78,
      says: 'a.yaml: 2 problems\n  b: wrong\n  c: too',
    },
    {
      what: 'a service that does not answer',
      error: new LinkError('connect ECONNREFUSED'),
      code: 69,
      says: 'connect ECONNREFUSED',
    },
    {
      what: 'storage that failed',
      error: new StoreError('database or disk is full'),
      code: 74,
      says: 'database or disk is full',
    },
    { what: 'a command that failed', error: new CommandError('no such station'), code: 1, says: 'no such station' },
    {
      what: 'a command with a code of its own',
      error: new CommandError('nobody there', 69),
      code: 69,
      says: 'nobody there',
    },
  ])('is $code for $what, said without a stack', async ({ error, code, says }) => {
    expect(await run(['go'], fails(error))).toEqual({ code, stdout: ['n undefined'], stderr: [says] });
    expect(await run(['go'], () => Promise.reject(error))).toMatchObject({ code, stderr: [says] });
  });

  test.each([
    { what: 'an unknown option', args: ['go', '--fast'], says: /unknown option '--fast'/ },
    { what: 'an unknown command', args: ['gone'], says: /unknown command 'gone'/ },
    { what: 'an option without its value', args: ['go', '--n'], says: /argument missing/ },
    { what: 'an option that must be there', args: ['group', 'inner'], says: /required option '--id <id>'/ },
    { what: 'no command', args: [], says: /^Usage: tool/ },
    { what: 'half a command', args: ['group'], says: /^Usage: tool group/ },
    { what: 'a wrong value', args: ['go', '--n', 'x'], says: /^--n: expected a whole number from 1 to 10, found "x"$/ },
  ])('is 64 for $what, said in a line', async ({ args, says }) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: [] });
    expect(stderr.join('\n')).toMatch(says);
    expect(stderr.join('\n')).not.toMatch(/^\s+at /m);
  });

  test('is 1 for a mistake of the program, with the stack that tells where', async () => {
    const { code, stderr } = await run(['go'], fails(new TypeError('x is not a function')));
    expect(code).toBe(1);
    expect(stderr.join('\n')).toMatch(/^TypeError: x is not a function\n\s+at /);
    expect(await run(['go'], fails('text'))).toMatchObject({ code: 1, stderr: ['text'] });
  });

  test('is one of those that README.md lists', () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const [shown = ''] = /\*\*Exit codes\*\*[^#]*/.exec(readme) ?? [];
    expect([...shown.matchAll(/\d+/g)].map(Number)).toEqual(Object.values(exitCodes));
    expect(exitCodes).toEqual({ ok: 0, failed: 1, usage: 64, unavailable: 69, ioError: 74, config: 78 });
  });
});

test.each([
  { text: '1', value: 1 },
  { text: '10', value: 10 },
  { text: '007', value: 7 },
])('$text is the whole number $value', ({ text, value }) => {
  expect(integerOption('--n', 1, 10)(text)).toBe(value);
});

test.each(['', '0', '11', '-1', '1.5', '1e1', '0x5', ' 5', '5 ', 'five'])(
  '%j is no whole number from 1 to 10',
  (text) => {
    expect(() => integerOption('--n', 1, 10)(text)).toThrow(CommandError);
  },
);

describe.each(['agent', 'cloud', 'simulator'] as const)('%s as a program', (name) => {
  test('ends a wrong use with 64 and lines without a stack', async () => {
    const { code, stdout, stderr } = await runProgram(name, ['--nonsense']);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toBe("error: unknown option '--nonsense'");
  });
});

test.each(['agent', 'cloud'] as const)(
  '%s ends a wrong configuration with 78 and lines without a stack',
  async (name) => {
    const args = name === 'agent' ? ['check', '--config', '/nowhere.yaml'] : ['serve', '--config', '/nowhere.yaml'];
    const { code, stdout, stderr } = await runProgram(name, args);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^\/nowhere\.yaml: 1 problem\n {2}cannot be read: ENOENT.*$/);
  },
);
