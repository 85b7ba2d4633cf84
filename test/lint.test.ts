import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/source-tree.ts';

type Module = { path: string; text: string };

const notOurs = 'protocol/ imports nothing of ours';
const noIo = 'core/ does no I/O and knows no room around it';
const intoCores = [
  ...['node:fs', 'mqtt', 'aedes', 'serialport', 'better-sqlite3', 'pino', 'fastify', 'node-cron'],
  ...['../outbox/outbox.ts', '../store/store.ts', '../ledger/ledger.ts', '../../protocol/host/clock.ts'],
  ...['../../agent/agent.ts', '../../cloud/cloud.ts', '../../simulator/station.ts', '../../test/support/wait.ts'],
];
const cores = ['agent/core/', 'cloud/core/', 'simulator/core/'];

/** What each folder may not import, with the words that say so, and what it may. */
const rooms = [
  {
    folder: 'protocol/',
    refused: ['../agent/agent.ts', '../cloud/cloud.ts', '../simulator/station.ts', '../test/support/wait.ts'],
    taken: ['./ids.ts', './host/clock.ts', 'node:fs', 'zod'],
    message: notOurs,
  },
  {
    folder: 'agent/',
    refused: ['../cloud/cloud.ts', '../simulator/station.ts', '../test/support/wait.ts'],
    taken: ['../protocol/ids.ts', '../protocol/host/clock.ts', './core/door.ts', 'node:fs'],
    message: 'agent/ imports protocol/ alone',
  },
  {
    folder: 'cloud/feed/',
    refused: ['../../agent/agent.ts', '../../simulator/station.ts', '../../test/support/wait.ts'],
    taken: ['../../protocol/ids.ts', '../core/live.ts', 'fastify'],
    message: 'cloud/ imports protocol/ alone',
  },
  {
    folder: 'simulator/',
    refused: ['../agent/agent.ts', '../cloud/cloud.ts', '../test/support/wait.ts'],
    taken: ['../protocol/ids.ts', './core/world.ts'],
    message: 'simulator/ imports protocol/ alone; it starts the other programs as programs',
  },
  ...cores.map((folder) => ({
    folder,
    refused: intoCores,
    taken: ['./other.ts', '../../protocol/events.ts', 'zod'],
    message: noIo,
  })),
  { folder: 'test/agent/', refused: [], taken: ['../../agent/agent.ts', '../../cloud/cloud.ts'], message: '' },
];

const spellings = [
  { how: 'for a type', text: "import type { A } from '../agent/agent.ts';\n\nexport type B = A;\n" },
  { how: 'to export it again', text: "export { a } from '../agent/agent.ts';\n" },
  { how: 'to export all again', text: "export * from '../agent/agent.ts';\n" },
  { how: 'when it runs', text: "export const a = import('../agent/agent.ts');\n" },
];

const globals = ['setTimeout', 'setInterval', 'setImmediate', 'performance', 'process', 'fetch'];

const pathOf = (folder: string, what: string): string => `${folder}${what.replaceAll(/[^a-z]+/gi, '-')}.ts`;
const found = lint([
  ...rooms.flatMap(({ folder, refused, taken }) =>
    [...refused, ...taken].map((specifier) => ({
      path: pathOf(folder, specifier),
      text: `import { a } from '${specifier}';\n\nexport const b = a;\n`,
    })),
  ),
  ...spellings.map(({ how, text }) => ({ path: pathOf('cloud/', how), text })),
  ...globals.flatMap((name) =>
    ['agent/core/', 'agent/'].map((folder) => ({ path: pathOf(folder, name), text: `export const a = ${name};\n` })),
  ),
]);

test.each(rooms)('the linter keeps $folder to its own', ({ folder, refused, taken, message }) => {
  expect(refused.map((specifier) => found(pathOf(folder, specifier)))).toEqual(
    refused.map(() => [`error noRestrictedImports: ${message}`]),
  );
  expect(taken.map((specifier) => found(pathOf(folder, specifier)))).toEqual(taken.map(() => []));
});

test.each(spellings)('the linter sees an import $how', ({ how }) => {
  expect(found(pathOf('cloud/', how))).toEqual(['error noRestrictedImports: cloud/ imports protocol/ alone']);
});

test.each(globals)('the linter keeps %s out of cores, and of cores alone', (name) => {
  expect(found(pathOf('agent/core/', name))).toEqual([expect.stringMatching(/^error noRestrictedGlobals: /)]);
  expect(found(pathOf('agent/', name))).toEqual([]);
});

/** Lints modules by the configuration of the house, all at once; answers with what it says of one. */
function lint(modules: readonly Module[]): (path: string) => string[] {
  const directory = mkdtempSync(join(tmpdir(), 'yizhan-test-'));
  cpSync(join(root, '.biome.jsonc'), join(directory, '.biome.jsonc'));
  for (const { path, text } of modules) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const { stdout } = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.'],
    { cwd: directory, encoding: 'utf8' },
  );
  rmSync(directory, { recursive: true });
  const { diagnostics }: { diagnostics: Diagnostic[] } = JSON.parse(stdout);
  return (path) => {
    if (!modules.some((module) => module.path === path)) throw new Error(`${path} was not linted`);
    return diagnostics
      .filter(({ location }) => location.path === path)
      .map(({ severity, category, message }) => `${severity} ${category.split('/').at(-1)}: ${message}`);
  };
}

type Diagnostic = { severity: string; message: string; category: string; location: { path: string } };
