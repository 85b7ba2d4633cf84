import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Memory as a disk, where the system has one: for tests that open hundreds of files and wait for every sync. */
export const ramDirectory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder of this test's own, removed when it ends. */
export function tempDir(parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, 'yizhan-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
