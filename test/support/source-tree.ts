import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export type SourceFile = { path: string; text: string };

/** Every file of the project as it stands in the working tree; what git ignores is none of them. */
export function readTree(paths: readonly string[] = pathsByGit() ?? pathsByWalking()): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** Null where there is no git, or the tree is a copy without its history. */
export function pathsByGit(): string[] | null {
  const options = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout } = spawnSync('git', options, { cwd: root, encoding: 'utf8' });
  if (status !== 0) return null;
  return stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
}

export function pathsByWalking(): string[] {
  const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n');
  const names = new Set(['.git', ...ignored.map((line) => line.replaceAll('/', ''))]);
  const walk = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true })
      .filter(({ name }) => !names.has(name))
      .flatMap((entry) => (entry.isDirectory() ? walk(join(directory, entry.name)) : [join(directory, entry.name)]));
  return walk(root).map((path) => relative(root, path));
}

const tokens = /('(?:\\.|[^'\\\n])*')|("(?:\\.|[^"\\\n])*")|(`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** TypeScript without its comments and the text of its strings; the code in template strings stays. */
export function codeOf(text: string): string {
  return text.replaceAll(tokens, (_token, single?: string, double?: string, template?: string) => {
    if (template !== undefined) return `\`${[...template.matchAll(/\$\{[^}]*\}/g)].join('')}\``;
    return single === undefined && double === undefined ? '' : "''";
  });
}

/** TypeScript without anything but code and its plain strings, as module names are. */
export function withPlainStrings(text: string): string {
  return text.replaceAll(tokens, (_token, single?: string) => single ?? '');
}

/** What a module imports, as it is written there; `?` for an import whose name is only known when it runs. */
export function importsOf(text: string): string[] {
  const code = withPlainStrings(text);
  const named = code.matchAll(/^(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'|^import\s*'([^']+)'/gm);
  const dynamic = code.matchAll(/\bimport\(\s*(?:'([^']+)')?/g);
  return [
    ...[...named].map(([, from, bare]) => from ?? bare ?? '?'),
    ...[...dynamic].map(([, specifier]) => specifier ?? '?'),
  ];
}
