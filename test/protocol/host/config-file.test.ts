import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, parseConfig } from '../../../protocol/host/config-error.ts';
import { readNamedFile, readYamlFile } from '../../../protocol/host/config-file.ts';
import { tempDir } from '../../support/temp-dir.ts';

function fileOf(text: string): string {
  const path = join(tempDir(), 'station.yaml');
  writeFileSync(path, text);
  return path;
}

function errorOf(work: () => unknown): ConfigError {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

test('a YAML file is plain data', () => {
  const path = fileOf('station: a # why\ncloud: { url: "mqtt://h" }\nsensors:\n  - &b { n: 1 }\n  - *b\n');
  expect(readYamlFile(path)).toEqual({ station: 'a', cloud: { url: 'mqtt://h' }, sensors: [{ n: 1 }, { n: 1 }] });
});

test('an empty file is nothing, for the schema to refuse', () => {
  expect(readYamlFile(fileOf('# nothing yet\n'))).toBeNull();
});

test.each([
  { what: 'a bracket that is left open', text: 'a: 1\nb: [1, 2\nc: 3\n', line: /^line [34]: not YAML: / },
  { what: 'a tab for indentation', text: 'a:\n\tb: 1\n', line: /^line 2: not YAML: / },
  { what: 'a field that is there twice', text: 'a: 1\nb: 2\na: 3\n', line: /^line 3: not YAML: .*unique/ },
  { what: 'a text that is left open', text: 'a: "x\n', line: /^line [12]: not YAML: / },
  { what: 'an alias of nothing', text: 'a: 1\nb: *none\n', line: /not YAML: .*none/ },
  { what: 'two documents', text: 'a: 1\n---\nb: 2\n', line: /^line [23]: not YAML: / },
])('$what is said with its line', ({ text, line }) => {
  const path = fileOf(text);
  const { message, issues } = errorOf(() => readYamlFile(path));
  expect(message).toBe(`${path}: 1 problem`);
  expect(issues).toEqual([expect.stringMatching(line)]);
});

test('aliases of aliases do not fill the memory', () => {
  const bomb = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...'bcdefgh'.split('').map((name, index) => {
      const before = 'abcdefgh'[index];
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
    }),
  ].join('\n');
  expect(errorOf(() => readYamlFile(fileOf(bomb))).issues).toEqual([expect.stringMatching(/not YAML: .*alias/i)]);
});

test('an alias inside of what it stands for is a wrong field like any other', () => {
  const path = fileOf('station: &a\n  b: *a\n');
  const error = errorOf(() => parseConfig(z.object({ station: z.string() }), readYamlFile(path), path));
  expect(error.issues).toEqual([expect.stringMatching(/^station: expected string, found an alias/)]);
});

test('a file that is not there, or is a folder, is said with its path', () => {
  const directory = tempDir();
  const missing = join(directory, 'none.yaml');
  expect(errorOf(() => readYamlFile(missing)).report).toBe(
    `${missing}: 1 problem\n  cannot be read: ENOENT: no such file or directory, open '${missing}'`,
  );
  expect(errorOf(() => readYamlFile(directory)).issues).toEqual([expect.stringMatching(/^cannot be read: EISDIR/)]);
});

test('a file that a field names is read as it is', () => {
  const path = fileOf(' secret \n');
  expect(readNamedFile('station.yaml', 'cloud.passwordFile', path)).toBe(' secret \n');
});

test('and where it cannot be read, the field that names it is said', () => {
  const missing = join(tempDir(), 'none');
  const { report } = errorOf(() => readNamedFile('station.yaml', 'cloud.passwordFile', missing));
  expect(report).toMatch(/^station\.yaml: 1 problem\n {2}cloud\.passwordFile: .*none cannot be read: ENOENT/);
});
