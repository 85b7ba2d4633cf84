import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';

const module = new URL('../../../protocol/host/log.ts', import.meta.url).href;
const program = `
const { createLog } = await import('${module}');
const log = await createLog('agent', 'warn');
log.info('not this');
const child = log.child({ station: 'a' });
for (let count = 1; count <= 100; count++) child.warn({ count, err: new Error('why') }, 'input rejected');
process.kill(process.pid, 'SIGKILL');
`;
const node = [process.execPath, '--input-type=module', '-e', program] as const;

test('lines are JSON on stdout, from the level on, and none is lost when the process is killed', async () => {
  const [command, ...args] = node;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  expect(lines).toHaveLength(100);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 40,
    name: 'agent',
    pid: child.pid,
    station: 'a',
    count: 1,
    msg: 'input rejected',
    err: { type: 'Error', message: 'why' },
    time: expect.any(Number),
  });
});

test('on a terminal they are readable', async () => {
  const quoted = node.map((part) => `'${part.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn('script', ['-qec', quoted, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const shown = stripVTControlCharacters(await text(child.stdout));
  expect(shown).toMatch(/^\[\d\d:\d\d:\d\d\] WARN \(agent\): input rejected\r?\n/);
  expect(shown).toMatch(/count: 100/);
  expect(shown).not.toMatch(/not this/);
});
