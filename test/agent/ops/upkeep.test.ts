import { expect, test } from 'vitest';
import { Upkeep } from '../../../agent/ops/upkeep.ts';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { openIn, setClock, startMs, visits } from '../outbox/rig.ts';

const dayMs = 86_400_000;

async function start(): Promise<{
  upkeep: Upkeep;
  outbox: Outbox;
  written: { bytes: number | null };
  free: { pct: number | null };
}> {
  const outbox = await openIn(tempDir());
  await setClock(outbox);
  const written: { bytes: number | null } = { bytes: 1000 };
  const free: { pct: number | null } = { pct: 81.2 };
  const disk: Disk = { ...nodeDisk, free: () => (free.pct === null ? null : { bytes: 1, pct: free.pct }) };
  const upkeep = new Upkeep({ outbox, path: 'outbox.db', unchecked: false }, disk, () => written.bytes);
  return { upkeep, outbox, written, free };
}

test('what was not looked at yet is null, not 0', async () => {
  const { upkeep } = await start();
  expect(upkeep.report(startMs)).toEqual({ oldestUnackedAt: null, diskFreePct: null, bytesWrittenToday: 0 });
});

test('a look tells the disk’s room and the oldest event that waits', async () => {
  const { upkeep, outbox, free } = await start();
  await outbox.append(visits(3, 500), {});
  await upkeep.look();
  expect(upkeep.report(startMs)).toMatchObject({ oldestUnackedAt: startMs + 500, diskFreePct: 81.2 });
  outbox.acknowledge(outbox.currentEpoch(), 3);
  free.pct = null;
  await upkeep.look();
  expect(upkeep.report(startMs)).toMatchObject({ oldestUnackedAt: null, diskFreePct: null });
});

test('bytes written today are those of this process since its start, and of each further day', async () => {
  const { upkeep, written } = await start();
  const today = (wallMs: number | null): number | null => upkeep.report(wallMs).bytesWrittenToday;
  written.bytes = 1500;
  expect(today(null)).toBe(500);
  expect(today(startMs)).toBe(500);
  written.bytes = 1800;
  expect(today(startMs + dayMs)).toBe(0);
  written.bytes = 2000;
  expect(today(startMs + dayMs)).toBe(200);
  // A clock that is lost for a while does not begin another day.
  expect(today(null)).toBe(200);
  expect(today(startMs + dayMs)).toBe(200);
});

test('where the system does not tell bytes, they are null', async () => {
  const { upkeep, written } = await start();
  written.bytes = null;
  expect(upkeep.report(startMs).bytesWrittenToday).toBeNull();
});

test('the self-report holds the outbox, the disk and the most frequent causes of refused input', async () => {
  const { upkeep, outbox, written } = await start();
  await outbox.append(visits(3), {});
  await upkeep.look();
  written.bytes = 4000;
  const refused = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`board-1 cause-${index}`, index]));
  const report = upkeep.selfReport(startMs, { ...refused, [`board-1 unknown ${'x'.repeat(100)}`]: 99 });
  const { bytes, ...rest } = report;
  expect(bytes).toBeGreaterThan(4096);
  expect(rest).toEqual({
    rows: 3,
    written: 3000,
    diskFreePct: 81.2,
    [`board-1 unknown ${'x'.repeat(24)}`]: 99,
    ...Object.fromEntries([11, 10, 9, 8, 7, 6, 5].map((n) => [`board-1 cause-${n}`, n])),
  });
  expect(Object.keys(report).every((key) => key.length <= 40)).toBe(true);
});

test('maintenance forgets commands that expired a day ago, but none while the clock is not trusted', async () => {
  const { upkeep, outbox } = await start();
  await outbox.beginCommand('old', startMs - dayMs - 1);
  await outbox.beginCommand('young', startMs - dayMs);
  await upkeep.maintain(null);
  expect(await outbox.beginCommand('old', 0)).toEqual({ kind: 'interrupted' });
  await upkeep.maintain(startMs);
  expect(await outbox.beginCommand('old', 0)).toEqual({ kind: 'new' });
  expect(await outbox.beginCommand('young', 0)).toEqual({ kind: 'interrupted' });
});
