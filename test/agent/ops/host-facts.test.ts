import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isNtpSynchronised, readBootId, readBytesWritten } from '../../../agent/ops/host-facts.ts';
import { tempDir } from '../../support/temp-dir.ts';

test('the boot’s id is the machine’s: another process reads the same', () => {
  const facts = new URL('../../../agent/ops/host-facts.ts', import.meta.url).pathname;
  const other = execFileSync(process.execPath, [
    '-e',
    `import(${JSON.stringify(facts)}).then((m) => console.log(m.readBootId()))`,
  ]);
  expect(readBootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(String(other).trim()).toBe(readBootId());
});

test('bytes written are what the system says that this process brought to storage', () => {
  const told = readFileSync('/proc/self/io', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('write_bytes'));
  expect(`write_bytes: ${readBytesWritten()}`).toBe(told);
});

test('NTP keeps the clock while its marker is there', () => {
  const marker = join(tempDir(), 'synchronized');
  expect(isNtpSynchronised(marker)).toBe(false);
  writeFileSync(marker, '');
  expect(isNtpSynchronised(marker)).toBe(true);
  rmSync(marker);
  expect(isNtpSynchronised(marker)).toBe(false);
});
