import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { checkBeside } from '../../../agent/outbox/check.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { asideFiles, damaged, makeTemplate, type Template, zeroPage } from './corrupt-rig.ts';
import { limits, openIn, openStored } from './rig.ts';

let template: Template;
beforeAll(async () => {
  template = await makeTemplate();
});

const never = new AbortController().signal;

test('a check beside the running agent finds nothing in a sound file, also while it is written', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  const outbox = await openIn(dataDir);
  const verdict = checkBeside(join(dataDir, 'outbox.db'), never);
  await outbox.append([{ bodyJson: '{}', transition: true, monoMs: 1 }], {});
  expect(await verdict).toBe('ok');
});

test('a check beside the running agent says what is wrong', async () => {
  const dataDir = damaged(template, zeroPage(20));
  expect(await checkBeside(join(dataDir, 'outbox.db'), never)).toMatch(/page 20|btree|malformed/);
});

test('a check that cannot be made says nothing', async () => {
  expect(await checkBeside(join(template.directory, 'nothing.db'), never)).toBeNull();
});

test.each([
  { when: 'before', signal: () => AbortSignal.abort() },
  { when: 'while', signal: () => AbortSignal.timeout(0) },
])('a check that is stopped $when it runs says nothing, and ends', async ({ signal }) => {
  expect(await checkBeside(join(template.directory, 'outbox.db'), signal())).toBeNull();
});

test('a file is checked before it is used up to its bound, and left to a check beside the agent above it', async () => {
  const size = template.pages * 4096;
  const small = await openStored(damaged(template, zeroPage(20)), { checkInlineMaxBytes: size });
  expect(small.unchecked).toBe(false);
  expect(small.outbox.recovered).not.toBeNull();
  await small.outbox.close();
  const large = await openStored(damaged(template, zeroPage(20)), { checkInlineMaxBytes: size - 1 });
  expect(large.unchecked).toBe(true);
  expect(large.outbox.recovered).toBeNull();
  await large.outbox.close();
});

test('damage that is met while running is a StoreError, and the file is salvaged when it is opened again', async () => {
  const dataDir = damaged(template, zeroPage(20));
  const { outbox } = await openStored(dataDir, { checkInlineMaxBytes: 0 });
  const [epoch = ''] = template.epochs;
  const readAll = async (): Promise<void> => {
    for (let first = 1; ; ) {
      const batch = await outbox.read(epoch, first, limits);
      if (!batch) return;
      first = batch.upTo + 1;
    }
  };
  await expect(readAll()).rejects.toThrow(StoreError);
  await expect(outbox.trim(1000)).rejects.toThrow(StoreError);
  await outbox.close();
  expect(asideFiles(dataDir)).toEqual([]);
  const again = await openIn(dataDir);
  expect(again.recovered?.events).toBeGreaterThan(700);
});

test('every use of an outbox whose file is gone from under it is a StoreError', async () => {
  const outbox = await openIn(damaged(template, (bytes) => bytes));
  const [epoch = ''] = template.epochs;
  await outbox.close();
  const entry = { bodyJson: '{}', transition: true, monoMs: 1 };
  for (const use of [
    () => outbox.append([entry], {}),
    () => outbox.memory(),
    () => outbox.read(epoch, 1, limits),
    () => outbox.openEpoch(),
    () => outbox.anchor({ boot: 'boot-1', monoMs: 1, wallMs: 1, source: 'cloud' }),
    () => outbox.oldestUnacked(),
    () => outbox.purge(epoch, 1),
    () => outbox.trim(1),
    () => outbox.maintain(),
    () => outbox.beginCommand('c', 1),
    () => outbox.endCommand('c', '{}'),
    () => outbox.forgetCommands(1),
  ])
    await expect(use(), use.toString()).rejects.toThrow(StoreError);
});
