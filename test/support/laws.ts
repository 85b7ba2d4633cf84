import { posix } from 'node:path';
import { codeOf, importsOf, type SourceFile, withPlainStrings } from './source-tree.ts';

/** Holds the tree against a law of the house, and says each breach as `path: what`. */
type Check = (files: readonly SourceFile[]) => string[];

/** Whose modules each room may import; `package.json` is everybody's. */
const importable: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  agent: ['agent', 'protocol'],
  cloud: ['cloud', 'protocol'],
  simulator: ['simulator', 'protocol'],
};
const rooms = Object.keys(importable);
const roomOf = (path: string): string => path.split('/')[0] ?? '';
const isModule = ({ path }: SourceFile): boolean => path.endsWith('.ts');
const inRoom = (file: SourceFile): boolean => isModule(file) && rooms.includes(roomOf(file.path));
const inCore = (file: SourceFile): boolean => inRoom(file) && file.path.split('/')[1] === 'core';
const targetOf = (path: string, specifier: string): string => posix.join(posix.dirname(path), specifier);

export const roomsImportProtocolAlone: Check = (files) =>
  files.filter(inRoom).flatMap(({ path, text }) => {
    const allowed = importable[roomOf(path)] ?? [];
    const imported = importsOf(text)
      .filter((specifier) => specifier === '?' || specifier.startsWith('.'))
      .map((specifier) => (specifier === '?' ? specifier : targetOf(path, specifier)))
      .filter((target) => target !== 'package.json' && !allowed.includes(roomOf(target)));
    return imported.map((target) => `${path}: imports ${target}`);
  });

/** The simulator starts the other programs as programs: it may name those two files of theirs. */
export const roomsNameNoFileOfAnother: Check = (files) =>
  files.filter(inRoom).flatMap(({ path, text }) =>
    [...withPlainStrings(text).matchAll(/'((?:\.\.?\/)+[^']*)'/g)]
      .map(([, specifier = '']) => targetOf(path, specifier))
      .filter((target) => [...rooms, 'test'].includes(roomOf(target)) && target.includes('/'))
      .filter((target) => !(importable[roomOf(path)] ?? []).includes(roomOf(target)))
      .filter((target) => roomOf(path) !== 'simulator' || !/^(agent|cloud)\/main\.ts$/.test(target))
      .map((target) => `${path}: names ${target}`),
  );

/** Packages that compute and do nothing else. */
const purePackages = ['zod', 'opening_hours'];
const impurities: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['the wall clock', /\bDate\.now\b|\bnew Date\(\s*\)|\bnew Date\b(?!\()|(?<!new )\bDate\(|\bTemporal\.Now\b/],
  ['the monotonic clock', /\bperformance\b|\bhrtime\b/],
  ['chance', /\bMath\.random\b|\bcrypto\b|\brandomUUID\b/],
  ['a timer', /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['the process', /\bprocess\b|\bglobalThis\b/],
  ['the console', /\bconsole\b/],
  ['the network', /\bfetch\b|\bWebSocket\b/],
  [
    'the locale or time zone of the machine',
    /\.toLocale\w*\(\s*\)|\bgetTimezoneOffset\b|\.get(?:Hours|Minutes|Day|Date|Month|FullYear)\(/,
  ],
  ['a promise', /\basync\b|\bawait\b|\bPromise\b/],
];

/** What a core may use all the same, and why. */
const coreUses: Readonly<Record<string, readonly string[]>> = {
  // The library of opening hours reads and makes Dates by their local fields; they are turned into the station's.
  'cloud/core/hours.ts': ['the locale or time zone of the machine'],
};

export const coresDoNoIo: Check = (files) =>
  files.filter(inCore).flatMap(({ path, text }) => {
    const code = codeOf(text);
    const used = impurities
      .filter(([what, pattern]) => pattern.test(code) && !coreUses[path]?.includes(what))
      .map(([what]) => `${path}: uses ${what}`);
    const core = posix.join(roomOf(path), 'core/');
    const imported = importsOf(text)
      .filter((specifier) => !purePackages.includes(specifier))
      .map((specifier) => (specifier.startsWith('.') ? targetOf(path, specifier) : specifier))
      .filter((target) => !target.startsWith(core) && !/^protocol\/[^/]+$/.test(target));
    return [...used, ...imported.map((target) => `${path}: imports ${target}`)];
  });

/** What a module that is no program takes from the process, and why it may. */
const processUses: Readonly<Record<string, readonly string[]>> = {
  // The machine's monotonic clock, behind the interface that everything else is given.
  'protocol/host/clock.ts': ['hrtime'],
  // Every line tells its process; a terminal gets readable ones.
  'protocol/host/log.ts': ['pid', 'stdout'],
  // Programs are started on the Node that runs the simulator.
  'simulator/programs.ts': ['execPath'],
};

export const mainAloneKnowsTheProcess: Check = (files) =>
  files
    .filter((file) => inRoom(file) && !/^\w+\/main\.ts$/.test(file.path))
    .flatMap(({ path, text }) => {
      const uses = [...codeOf(text).matchAll(/\bprocess\b(?:\??\.(\w+))?/g)].map(([, name]) => name ?? '(as a whole)');
      const imports = importsOf(text).filter((specifier) => /^(node:)?process$/.test(specifier));
      return [...uses, ...imports]
        .filter((name) => !processUses[path]?.includes(name))
        .map((name) => `${path}: uses process: ${name}`);
    });

export const modulesKeepNoState: Check = (files) =>
  files.filter(inRoom).flatMap(({ path, text }) => {
    const kept = codeOf(text).matchAll(
      /^(?:export )?(?:(?:let|var) \w+|const (\w+)(?:: (?!Readonly|readonly)[^=\n]+)? = (?:new (?:Weak)?(?:Map|Set)(?:<[^()]*>)?\(\)|\[\]|\{\});)/gm,
    );
    return [...kept].map(([line]) => `${path}: keeps ${line}`);
  });

const longest = 300;
/** Files that may be longer, by path, each with its reason. */
const longFiles: Readonly<Record<string, string>> = {};

export const filesAreShort: Check = (files) =>
  files
    .filter((file) => inRoom(file) && !(file.path in longFiles))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > longest)
    .map(({ path, lines }) => `${path}: has ${lines} lines, expected at most ${longest}`);

const topLevel = [
  ...['agent', 'cloud', 'protocol', 'simulator', 'test', '.ci'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'LICENSE'],
  ...['.biome.jsonc', '.gitignore', '.npmrc'],
];

export const topLevelIsFixed: Check = (files) => {
  const found = new Set(files.map(({ path }) => roomOf(path)));
  return [
    ...[...found].filter((name) => !topLevel.includes(name)).map((name) => `${name}: not expected at the top level`),
    ...topLevel.filter((name) => !found.has(name)).map((name) => `${name}: expected at the top level`),
  ];
};

export const lockNamesNoHost: Check = (files) =>
  files
    .filter(({ path }) => path.endsWith('package-lock.json'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/"resolved": *"(?!file:)[^"]*"/g)].map(([entry]) => `${path}: ${entry}`),
    );

export const nothingPointsOutside: Check = (files) =>
  files.flatMap(({ path, text }) =>
    [...text.matchAll(/\bregistry\.[\w-]+\.[a-z]{2,}\b|\bnpmmirror\b|\.\.\/shared\b/g)].map(
      ([found]) => `${path}: ${found}`,
    ),
  );

export const linksLead: Check = (files) =>
  files
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) =>
      [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, link = '']) => link)
        .filter((link) => !/^[a-z]+:/.test(link) && !leads(files, path, link))
        .map((link) => `${path}: ${link} leads nowhere`),
    );

function leads(files: readonly SourceFile[], from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? from : posix.normalize(targetOf(from, file)).replace(/\/$/, '');
  if (anchor === undefined) return files.some(({ path }) => path === target || path.startsWith(`${target}/`));
  const text = files.find(({ path }) => path === target)?.text ?? '';
  return [...text.matchAll(/^#+ (.+)$/gm)].some(([, heading = '']) => anchorOf(heading) === anchor);
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

/** Packages that no module imports, by the word of package.json's scripts that uses them. */
const tools: Readonly<Record<string, string>> = {
  '@biomejs/biome': 'biome',
  typescript: 'tsc',
  node: 'node',
  vitest: 'vitest',
};
/** Follows the event stream in tests that come with the feed's. */
const awaited = ['eventsource'];

export const dependenciesAreThoseImported: Check = (files) => {
  const manifest = JSON.parse(files.find(({ path }) => path === 'package.json')?.text ?? '{}');
  const forAll = Object.keys(manifest.dependencies ?? {});
  const forTests = Object.keys(manifest.devDependencies ?? {});
  const scripts = Object.values<string>(manifest.scripts ?? {}).join(' ; ');
  const used = new Set<string>();
  const undeclared = files.filter(isModule).flatMap(({ path, text }) => {
    const packages = importsOf(text).flatMap((specifier) => packageOf(specifier) ?? []);
    for (const name of packages) used.add(name);
    const declared = roomOf(path) === 'test' ? [...forAll, ...forTests] : forAll;
    return packages.filter((name) => !declared.includes(name)).map((name) => `${path}: ${name} is not declared`);
  });
  const isUsed = (name: string): boolean =>
    used.has(name) ||
    awaited.includes(name) ||
    new RegExp(`(^|[ ;&])${tools[name] ?? '(?!)'} `).test(scripts) ||
    (name.startsWith('@types/') && (name === '@types/node' || used.has(name.slice('@types/'.length))));
  const unused = [...forAll, ...forTests].filter((name) => !isUsed(name));
  return [...undeclared, ...unused.map((name) => `package.json: ${name} is not used`)];
};

function packageOf(specifier: string): string | null {
  if (specifier === '?' || specifier.startsWith('.') || specifier.startsWith('node:')) return null;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
