import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../../agent/outbox/disk.ts';
import { tempDir } from '../../support/temp-dir.ts';

test('opening a database creates its directory', () => {
  const path = join(tempDir(), 'var', 'lib', 'station', 'outbox.db');
  const db = nodeDisk.open(path);
  db.exec('CREATE TABLE t (x)');
  db.close();
  expect(nodeDisk.exists(path)).toBe(true);
});

test('what is preallocated takes its room on the disk: a sparse file would reserve nothing', () => {
  const path = join(tempDir(), 'ballast');
  nodeDisk.preallocate(path, 1_000_001);
  const { size, blocks } = statSync(path);
  expect(size).toBe(1_000_001);
  expect(blocks * 512).toBeGreaterThanOrEqual(1_000_001);
  nodeDisk.preallocate(path, 10);
  expect(nodeDisk.sizeBytes(path)).toBe(10);
});

test('a file that is not there has no size, and removing it is no error', () => {
  const path = join(tempDir(), 'nothing');
  expect(nodeDisk.sizeBytes(path)).toBe(0);
  expect(nodeDisk.exists(path)).toBe(false);
  nodeDisk.remove(path);
});

test('rename moves a file over another', () => {
  const directory = tempDir();
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  writeFileSync(from, 'new');
  writeFileSync(to, 'old');
  nodeDisk.rename(from, to);
  expect(readFileSync(to, 'utf8')).toBe('new');
  expect(nodeDisk.exists(from)).toBe(false);
});

test('free tells the room of the file system under a path, whether the file is there or not', () => {
  const directory = tempDir();
  mkdirSync(join(directory, 'data'));
  const free = nodeDisk.free(join(directory, 'data', 'outbox.db'));
  expect(free?.bytes).toBeGreaterThan(0);
  expect(free?.pct).toBeGreaterThan(0);
  expect(free?.pct).toBeLessThanOrEqual(100);
  expect(nodeDisk.free(join(directory, 'nowhere', 'deep', 'outbox.db'))).toBeNull();
});
