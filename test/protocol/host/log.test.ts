import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';

const module = new URL('../../../protocol/host/log.ts', import.meta.url).href;
const program = `
const { createLog } = await import('${module}');
const log = await createLog('agent', 'info');
log.debug('not this');
log.child({ station: 'a' }).warn({ count: 3, err: new Error('why') }, 'input rejected');
process.exit();
`;
const node = [process.execPath, '--input-type=module', '-e', program] as const;

test('lines are JSON on stdout, from the level on, and none is lost at the end', async () => {
  const [command, ...args] = node;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 40,
    name: 'agent',
    pid: child.pid,
    station: 'a',
    count: 3,
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
  expect(shown).toMatch(/count: 3/);
  expect(shown).not.toMatch(/not this/);
});
