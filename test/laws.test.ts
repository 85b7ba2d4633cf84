import { describe, expect, test } from 'vitest';
import * as laws from './support/laws.ts';
import { importsOf, pathsByGit, pathsByWalking, readTree, type SourceFile } from './support/source-tree.ts';

const tree = readTree();

/** The tree with another file in it, or with other text in one of its own. */
function withFile(path: string, text: string): SourceFile[] {
  return [...tree.filter((file) => file.path !== path), { path, text }];
}

/** A file of the tree with a part of its text replaced. */
function edited(path: string, from: string, to: string): [path: string, text: string] {
  const text = tree.find((file) => file.path === path)?.text ?? '';
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  return [path, text.replace(from, to)];
}

const shared = ['..', 'shared', 'notes.md'].join('/');
const registry = ['registry', 'npmjs', 'org'].join('.');

type Law = {
  law: string;
  check: (files: readonly SourceFile[]) => string[];
  /** Files that break it, to show that the check sees that. */
  breaches: [path: string, text: string][];
  /** Files that do not, although they look like it. */
  fine?: [path: string, text: string][];
};

describe.each<Law>([
  {
    law: 'protocol/ imports nothing of ours, the programs import protocol/ alone',
    check: laws.roomsImportProtocolAlone,
    breaches: [
      ['protocol/x.ts', "import { a } from '../agent/core/door.ts';"],
      ['protocol/host/x.ts', "import type { A } from '../../cloud/core/live.ts';"],
      ['agent/x.ts', "import { a } from '../cloud/core/live.ts';"],
      ['agent/core/x.ts', "export { a } from '../../simulator/station.ts';"],
      ['cloud/x.ts', "const { a } = await import('../agent/agent.ts');"],
      ['cloud/x.ts', "import '../test/support/wait.ts';"],
      ['simulator/x.ts', "import {\n  a,\n} from '../cloud/store/schema.ts';"],
      ['simulator/x.ts', 'const { a } = await import(name);'],
      ['simulator/x.ts', "import tsconfig from '../tsconfig.json' with { type: 'json' };"],
    ],
    fine: [
      ['agent/x.ts', "// import { a } from '../cloud/core/live.ts';\nimport { b } from '../protocol/ids.ts';"],
      ['cloud/x.ts', "import manifest from '../package.json' with { type: 'json' };"],
    ],
  },
  {
    law: 'no room names a file of another one; the simulator names the programs that it starts',
    check: laws.roomsNameNoFileOfAnother,
    breaches: [
      ['simulator/x.ts', "new URL('../cloud/store/schema.ts', import.meta.url)"],
      ['simulator/demo/x.ts', "new URL('../../agent/cli.ts', import.meta.url)"],
      ['agent/x.ts', "new URL('../cloud/main.ts', import.meta.url)"],
      ['cloud/x.ts', "readFileSync('../agent/version.ts')"],
    ],
    fine: [['simulator/x.ts', "new URL('../agent/main.ts', import.meta.url)"]],
  },
  {
    law: 'cores do no I/O and know no clock, timer or chance',
    check: laws.coresDoNoIo,
    breaches: [
      ['agent/core/x.ts', 'export const a = () => Date.now();'],
      ['agent/core/x.ts', 'export const a = () => new Date();'],
      ['agent/core/x.ts', 'export const a = () => Date();'],
      ['agent/core/x.ts', `export const a = () => \`\${Math.random()}\`;`],
      ['cloud/core/x.ts', 'setTimeout(() => {}, 5);'],
      ['cloud/core/x.ts', 'export const a = performance.now();'],
      ['cloud/core/x.ts', "export const a = process.env['A'];"],
      ['cloud/core/x.ts', 'export async function a() {}'],
      ['cloud/core/x.ts', 'export const a = (atMs: number) => new Date(atMs).getHours();'],
      ['cloud/core/x.ts', 'export const a = (atMs: number) => new Date(atMs).toLocaleString();'],
      ['simulator/core/x.ts', "import { readFileSync } from 'node:fs';"],
      ['simulator/core/x.ts', "import mqtt from 'mqtt';"],
      ['simulator/core/x.ts', "import { systemClock } from '../../protocol/host/clock.ts';"],
      ['cloud/core/x.ts', "import type { Store } from '../store/store.ts';"],
    ],
    fine: [
      ['agent/core/x.ts', "// Date.now() is not for us, and the process neither\nconst a = 'a timer: setTimeout';"],
      ['cloud/core/x.ts', 'export const a = (atMs: number) => new Date(atMs).toISOString();'],
      ['agent/x.ts', 'export const a = () => Date.now();'],
    ],
  },
  {
    law: 'main.ts alone knows the process',
    check: laws.mainAloneKnowsTheProcess,
    breaches: [
      ['agent/x.ts', "const a = process.env['A'];"],
      ['cloud/x.ts', 'const a = process.argv;'],
      ['simulator/x.ts', 'process.exit(1);'],
      ['protocol/host/clock.ts', 'const a = process.env;'],
      ['cloud/feed/main.ts', 'process.exit(1);'],
      ['agent/x.ts', "import { env } from 'node:process';"],
      ['agent/x.ts', 'const { env } = process;'],
    ],
    fine: [
      ['agent/main.ts', 'process.exit(1);'],
      ['agent/x.ts', "/** The agent's process. */ const a = 'a process.env';"],
    ],
  },
  {
    law: 'no module keeps state of its own',
    check: laws.modulesKeepNoState,
    breaches: [
      ['agent/x.ts', 'let count = 0;'],
      ['cloud/x.ts', 'export let count = 0;'],
      ['protocol/x.ts', 'var count = 0;'],
      ['cloud/x.ts', 'const known = new Map<string, number>();'],
      ['cloud/x.ts', 'const seen: Set<string> = new Set();'],
      ['simulator/x.ts', 'export const lines: string[] = [];'],
    ],
    fine: [
      ['agent/x.ts', 'function a() {\n  let count = 0;\n  const known = new Map();\n}'],
      ['agent/x.ts', "const words = new Set(['a']);\nconst none: ReadonlySet<string> = new Set();\nconst table = [1];"],
    ],
  },
  {
    law: 'no file is longer than 300 lines',
    check: laws.filesAreShort,
    breaches: [['agent/x.ts', 'a;\n'.repeat(301)]],
    fine: [['agent/x.ts', 'a;\n'.repeat(300)]],
  },
  {
    law: 'the top level is what it is',
    check: laws.topLevelIsFixed,
    breaches: [
      ['scripts/build.sh', ''],
      ['TODO.md', ''],
    ],
    fine: [['agent/new/x.ts', '']],
  },
  {
    law: 'the lock file names no host: packages come from wherever npm is told',
    check: laws.lockNamesNoHost,
    breaches: [['package-lock.json', `{ "resolved": "https://${registry}/zod/-/zod-4.6.7.tgz" }`]],
  },
  {
    law: 'nothing points outside of the repository or at a registry',
    check: laws.nothingPointsOutside,
    breaches: [
      ['README.md', `see ${shared}`],
      ['.npmrc', `registry=https://${registry}/`],
    ],
    fine: [['cloud/x.ts', "const registry = new Registry();\nregistry.removeSingleMetric('a');"]],
  },
  {
    law: 'every link of a README leads somewhere',
    check: laws.linksLead,
    breaches: [
      ['README.md', '[a](protocol/NOWHERE.md)'],
      ['README.md', '[a](protocol/README.md#5-nothing)'],
      ['protocol/README.md', '[a](agent/agent.ts)'],
      ['README.md', '[a](#nothing)'],
    ],
    fine: [
      [
        'README.md',
        '# A `b`, c\n[a](#a-b-c) [b](protocol/README.md#1-board-line) [c](cloud/web/) [d](https://example.org)',
      ],
      ['cloud/README.md', '[a](../agent/agent.ts)'],
    ],
  },
  {
    law: 'dependencies are the packages that are imported, and all of them',
    check: laws.dependenciesAreThoseImported,
    breaches: [
      ['agent/x.ts', "import pad from 'left-pad';"],
      ['agent/x.ts', "import { test } from 'vitest';"],
      ['cloud/x.ts', "import a from '@fastify/static/deep.js';"],
      ['test/x.ts', "import pad from 'left-pad';"],
      edited('package.json', '"aedes"', '"left-pad": "1.0.0", "aedes"'),
      edited('package.json', '"fast-check"', '"@types/left-pad": "1.0.0", "fast-check"'),
      edited('package.json', '"yaml": ', '"yamls": '),
      edited('package.json', 'tsc --noEmit', 'true'),
    ],
    fine: [['test/x.ts', "import { test } from 'vitest';\nimport 'node:fs';"]],
  },
])('$law', ({ check, breaches, fine = [] }) => {
  test('holds', () => {
    expect(check(tree)).toEqual([]);
  });

  const seenBeside = (path: string, text: string): string[] => {
    const before = check(tree);
    return check(withFile(path, text)).filter((breach) => !before.includes(breach));
  };

  test.each(breaches)('is seen broken by %s: %j', (path, text) => {
    expect(seenBeside(path, text)).not.toEqual([]);
  });

  test.each(fine)('is not seen broken by %s: %j', (path, text) => {
    expect(seenBeside(path, text)).toEqual([]);
  });
});

test('the top level lacks nothing', () => {
  const without = tree.filter(({ path }) => path !== 'LICENSE');
  expect(laws.topLevelIsFixed(without)).toEqual(['LICENSE: expected at the top level']);
});

test('the tree is all there, with git and without', () => {
  expect(tree.length).toBeGreaterThan(150);
  expect(tree.map(({ path }) => path)).toEqual(expect.arrayContaining(['agent/main.ts', 'README.md', '.ci/run']));
  expect(tree.some(({ path }) => path.includes('node_modules'))).toBe(false);
  const byGit = pathsByGit();
  if (byGit) expect(pathsByWalking().toSorted()).toEqual(byGit.toSorted());
});

test('imports are seen however they are written', () => {
  const text = [
    "import a from 'one';",
    "import type { B } from './two.ts';",
    "import {\n  c,\n  d,\n} from '../three.ts';",
    "export { e } from 'four';",
    "export * from 'five';",
    "import 'six';",
    "const f = await import('seven');",
    'const g = import(name);',
    "// import h from 'eight';",
    "/* import i from 'nine'; */",
    "const text = 'from ten';",
  ].join('\n');
  expect(importsOf(text)).toEqual(['one', './two.ts', '../three.ts', 'four', 'five', 'six', 'seven', '?']);
});
