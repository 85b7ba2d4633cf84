import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/source-tree.ts';
import { tempDir } from './support/temp-dir.ts';

type Found = { severity: string; message: string; category: string };

/** What the linter says of modules, each alone at its path, by the configuration of the house. */
function lint(modules: readonly { path: string; text: string }[]): string[][] {
  const directory = tempDir();
  cpSync(join(root, '.biome.jsonc'), join(directory, '.biome.jsonc'));
  const paths = modules.map(({ path }, index) => path.replace('x.ts', `x${index}.ts`));
  modules.forEach(({ text }, index) => {
    const file = join(directory, paths[index] ?? '');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  });
  const { stdout } = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.'],
    { cwd: directory, encoding: 'utf8' },
  );
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: (Found & { location: { path: string } })[] };
  return paths.map((path) =>
    diagnostics
      .filter(({ location }) => location.path === path)
      .map(({ severity, category, message }) => `${severity} ${category.split('/').at(-1)}: ${message}`),
  );
}

const importing = (path: string, specifier: string): { path: string; text: string } => ({
  path,
  text: `import { a } from '${specifier}';\n\nexport const b = a;\n`,
});

test.each([
  {
    room: 'protocol/x.ts',
    refused: ['../agent/agent.ts', '../cloud/cloud.ts', '../simulator/station.ts', '../test/support/wait.ts'],
    taken: ['./ids.ts', './host/clock.ts', 'node:fs', 'zod'],
    message: 'protocol/ imports nothing of ours',
  },
  {
    room: 'agent/x.ts',
    refused: ['../cloud/cloud.ts', '../simulator/station.ts', '../test/support/wait.ts'],
    taken: ['../protocol/ids.ts', '../protocol/host/clock.ts', './core/door.ts', 'node:fs'],
    message: 'agent/ imports protocol/ alone',
  },
  {
    room: 'cloud/feed/x.ts',
    refused: ['../../agent/agent.ts', '../../simulator/station.ts', '../../test/support/wait.ts'],
    taken: ['../../protocol/ids.ts', '../core/live.ts', 'fastify'],
    message: 'cloud/ imports protocol/ alone',
  },
  {
    room: 'simulator/x.ts',
    refused: ['../agent/agent.ts', '../cloud/cloud.ts', '../test/support/wait.ts'],
    taken: ['../protocol/ids.ts', './core/world.ts'],
    message: 'simulator/ imports protocol/ alone; it starts the other programs as programs',
  },
  ...['agent', 'cloud', 'simulator'].map((room) => ({
    room: `${room}/core/x.ts`,
    refused: [
      ...['node:fs', 'mqtt', 'aedes', 'serialport', 'better-sqlite3', 'pino', 'fastify', 'node-cron'],
      ...['../outbox/outbox.ts', '../store/store.ts', '../ledger/ledger.ts', '../../protocol/host/clock.ts'],
      ...['../../agent/agent.ts', '../../cloud/cloud.ts', '../../simulator/station.ts', '../../test/support/wait.ts'],
    ],
    taken: ['./other.ts', '../../protocol/events.ts', 'zod'],
    message: 'core/ does no I/O and knows no room around it',
  })),
])('the linter keeps $room to its own', ({ room, refused, taken, message }) => {
  const found = lint([...refused, ...taken].map((specifier) => importing(room, specifier)));
  expect(found).toEqual([...refused.map(() => [`error noRestrictedImports: ${message}`]), ...taken.map(() => [])]);
});

test('the linter sees an import however it is written', () => {
  const texts = [
    "import type { A } from '../agent/agent.ts';\n\nexport type B = A;\n",
    "export { a } from '../agent/agent.ts';\n",
    "export * from '../agent/agent.ts';\n",
    "export const a = import('../agent/agent.ts');\n",
  ];
  const found = lint(texts.map((text) => ({ path: 'cloud/x.ts', text })));
  expect(found).toEqual(texts.map(() => ['error noRestrictedImports: cloud/ imports protocol/ alone']));
});

test('the linter keeps time and the world out of cores, and of cores alone', () => {
  const names = ['setTimeout', 'setInterval', 'setImmediate', 'performance', 'process', 'fetch'];
  const using = (path: string) => names.map((name) => ({ path, text: `export const a = ${name};\n` }));
  expect(lint(using('agent/core/x.ts'))).toEqual(
    names.map(() => [expect.stringMatching(/^error noRestrictedGlobals: /)]),
  );
  expect(lint(using('agent/x.ts'))).toEqual(names.map(() => []));
});

test('a test may import every room', () => {
  expect(lint([importing('test/agent/x.ts', '../../agent/agent.ts')])).toEqual([[]]);
});
