import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { type FullDisk, fullDisks } from './full-disk-rig.ts';
import { limits, openIn, openStored, visit } from './rig.ts';
import { overridden, startWriter, type WriterRig } from './writer-rig.ts';

/** What a cloud that gets everything adds up, over events and receipts; and the sequences that it is told. */
async function totals(outbox: Outbox): Promise<{ in: number; ml: number; sequences: number }> {
  const sum = { in: 0, ml: 0, sequences: 0 };
  for (;;) {
    const batch = await outbox.read(outbox.currentEpoch(), sum.sequences + 1, limits);
    if (!batch) return sum;
    sum.sequences = batch.upTo;
    for (const event of batch.events.map((json) => JSON.parse(json))) {
      for (const part of event.kind === 'gap' ? Object.values<Record<string, number>>(event.lost ?? {}) : [event]) {
        sum.in += Number(part['in'] ?? 0);
        sum.ml += Number(part['ml'] ?? 0);
      }
    }
  }
}

describe.each(fullDisks)('a disk that is full by $kind', ({ ballastBytes, commits, make }) => {
  /** A writer whose ballast lies, over a disk that was filled then. */
  async function startFull(config: { ballastBytes: number } = { ballastBytes }): Promise<WriterRig & FullDisk> {
    const full = make();
    const rig = await startWriter({ ...config, disk: full.disk, dataDir: full.dataDir, maxPending: 100_000 });
    rig.writer.tick();
    full.fill();
    return { ...rig, ...full };
  }

  /** Keeps writing, a hundred events a commit, half of them measurements. */
  async function write(rig: WriterRig, groups: number): Promise<void> {
    for (let group = 0; group < groups; group++) {
      for (let n = 0; n < 50; n++) {
        rig.in(1);
        rig.ml(10);
      }
      await rig.writer.flush();
    }
  }

  test('takes the ballast first: nothing is lost and all is accepted', async () => {
    const rig = await startFull();
    expect(existsSync(rig.ballast)).toBe(true);
    await write(rig, 3);
    expect(rig.conditions).toEqual(['full']);
    expect(existsSync(rig.ballast)).toBe(false);
    expect(rig.committed.at(-1)).toBe(300);
    expect(rig.trimmed).toEqual([]);
  });

  test('then thins measurements before transitions, keeps taking events, and every sum is kept', async () => {
    const rig = await startFull();
    await write(rig, commits);
    expect(rig.committed.at(-1)).toBe(100 * commits);
    expect(rig.failures).toEqual([]);
    const [first] = rig.trimmed;
    expect(first).toMatchObject({ transitions: 0 });
    expect(rig.trimmed.reduce((sum, { rows }) => sum + rows, 0)).toBe(100 * commits - rig.outbox.use().rows);
    expect(await totals(rig.outbox)).toEqual({ in: 50 * commits, ml: 500 * commits, sequences: 100 * commits });
  });

  test('is ok again once there is room: the ballast lies again and the outbox may grow', async () => {
    const rig = await startFull();
    await write(rig, 3);
    rig.writer.tick();
    expect(rig.writer.condition).toBe('full');
    expect(existsSync(rig.ballast)).toBe(false);
    rig.clear();
    rig.writer.tick();
    expect(rig.conditions).toEqual(['full', 'ok']);
    expect(rig.disk.sizeBytes(rig.ballast)).toBe(ballastBytes);
    const { bytes } = rig.outbox.use();
    await write(rig, commits);
    expect(rig.outbox.use().bytes).toBeGreaterThan(bytes + ballastBytes / 4);
    expect(rig.trimmed).toEqual([]);
  });

  test('without a ballast takes nothing, and is ok again once there is room', async () => {
    const rig = await startFull({ ballastBytes: 0 });
    await write(rig, 10);
    expect(rig.writer.condition).toBe('full');
    const { length } = rig.committed;
    rig.writer.tick();
    expect(rig.writer.condition).toBe('full');
    rig.clear();
    await rig.clock.advance(5000);
    expect(rig.committed.length).toBeGreaterThan(length);
    expect(rig.committed.at(-1)).toBe(1000);
    rig.writer.tick();
    expect(rig.conditions).toEqual(['full', 'ok']);
    expect(existsSync(rig.ballast)).toBe(false);
    expect(await totals(rig.outbox)).toEqual({ in: 500, ml: 5000, sequences: 1000 });
  });

  test('at a start gives the ballast up, too: without it not even an epoch could be opened', async () => {
    const { dataDir, disk, fill } = make();
    await (await openIn(dataDir, { disk })).close();
    disk.preallocate(join(dataDir, 'outbox.ballast'), ballastBytes);
    fill();
    const outbox = await openIn(dataDir, { disk });
    expect(existsSync(join(dataDir, 'outbox.ballast'))).toBe(false);
    expect(await outbox.append([visit(1)], {})).toMatchObject({ ok: true });
  });

  test('is not opened where there is no ballast to give up, and is sound once there is room', async () => {
    const { dataDir, disk, fill, clear } = make();
    await (await openIn(dataDir, { disk })).close();
    fill();
    await expect(openStored(dataDir, { disk })).rejects.toThrow(StoreError);
    clear();
    expect((await openIn(dataDir, { disk })).recovered).toBeNull();
  });
});

test('the ballast stays where an outbox cannot be opened for another reason', async () => {
  const dataDir = tempDir();
  nodeDisk.preallocate(join(dataDir, 'outbox.ballast'), 4096);
  const broken: Disk = {
    ...nodeDisk,
    open() {
      throw new Error('no such device');
    },
  };
  await expect(openStored(dataDir, { disk: broken })).rejects.toThrow('no such device');
  expect(existsSync(join(dataDir, 'outbox.ballast'))).toBe(true);
});

const takesNothing = { ok: false, why: 'disk-full' } as const;

test('a disk that takes nothing is asked every 5 s, however many events come', async () => {
  let asked = 0;
  let full = true;
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, (real) => ({
      async append(entries, memory) {
        asked += 1;
        return full ? takesNothing : real.append(entries, memory);
      },
    }));
  const rig = await startWriter({ wrap });
  rig.in();
  await rig.clock.advance(50);
  const first = asked;
  for (let n = 0; n < 49; n++) {
    rig.in();
    await rig.clock.advance(100);
  }
  expect(asked).toBe(first);
  await rig.clock.advance(100);
  expect(asked).toBeGreaterThan(first);
  full = false;
  await rig.clock.advance(5000);
  expect(rig.committed).toEqual([50]);
  rig.in();
  await rig.clock.advance(50);
  expect(rig.committed).toEqual([50, 51]);
});

test('a disk on which not even a deletion fits is full, not broken', async () => {
  const cause = new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, () => ({
      append: async () => takesNothing,
      trim: () => Promise.reject(new StoreError(cause.message, { cause })),
    }));
  const rig = await startWriter({ wrap });
  rig.in();
  await rig.clock.advance(60_000);
  expect({ conditions: rig.conditions, failures: rig.failures }).toEqual({ conditions: ['full'], failures: [] });
});

test('a deletion that fails for another reason is a failure of the outbox', async () => {
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, () => ({
      append: async () => takesNothing,
      trim: () => Promise.reject(new StoreError('disk I/O error')),
    }));
  const rig = await startWriter({ wrap });
  rig.in();
  await rig.clock.advance(50);
  expect(rig.failures).toEqual([new StoreError('disk I/O error')]);
});
