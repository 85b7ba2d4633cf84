import { expect, test } from 'vitest';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { limits, litres, openIn, readEvents, setClock, startMs, visit } from './rig.ts';

const minuteMs = 60_000;

/** One start of the agent in one boot: its clock, where it gets one, and visits at these monotonic times. */
type Run = { boot: string; clock?: { monoMs: number; wallMs: number }; visitsMs: readonly number[] };

/** Plays the runs, each in an agent of its own, and leaves the last one open. */
async function play(runs: readonly Run[], dataDir = tempDir()): Promise<{ outbox: Outbox; epochs: string[] }> {
  const epochs: string[] = [];
  for (const [index, { boot, clock, visitsMs }] of runs.entries()) {
    const outbox = await openIn(dataDir, { boot });
    epochs.push(outbox.currentEpoch());
    await outbox.append(
      visitsMs.map((monoMs) => visit(monoMs)),
      {},
    );
    if (clock) await setClock(outbox, clock.wallMs, clock.monoMs, boot);
    if (index === runs.length - 1) return { outbox, epochs };
    await outbox.close();
  }
  throw new Error('no run');
}

const times = async (outbox: Outbox, epoch: string | undefined): Promise<object[]> =>
  (await readEvents(outbox, 1, epoch)).map(({ at, atIs, atMin, atMax }) => ({
    at: at - startMs,
    ...(atIs === undefined ? {} : { atIs, atMin: Number(atMin) - startMs, atMax: Number(atMax) - startMs }),
  }));

test('events wait while their boot has no clock, and get their exact times when it has one', async () => {
  const outbox = await openIn(tempDir());
  const epoch = outbox.currentEpoch();
  await outbox.append([visit(10_000), visit(12_500)], {});
  expect(await outbox.read(epoch, 1, limits)).toBeNull();
  expect(await outbox.oldestUnacked()).toBeNull();
  await setClock(outbox, startMs, 20_000);
  expect(await times(outbox, epoch)).toEqual([{ at: -10_000 }, { at: -7500 }]);
});

test('an event’s time follows from the anchor in force when it was written, or from the first one', async () => {
  const outbox = await openIn(tempDir());
  await outbox.append([visit(1000)], {});
  await setClock(outbox, startMs, 2000);
  await outbox.append([visit(3000)], {});
  // The clock was an hour slow.
  await setClock(outbox, startMs + 3_604_000, 6000);
  await outbox.append([visit(7000)], {});
  expect(await times(outbox, outbox.currentEpoch())).toEqual([{ at: -1000 }, { at: 1000 }, { at: 3_605_000 }]);
});

test('a resend is byte-identical, whatever happened to clocks and boots since', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir, { boot: 'boot-1' });
  const epoch = first.currentEpoch();
  await first.append([visit(1000)], {});
  await setClock(first, startMs, 2000, 'boot-1');
  await first.append([visit(2500), visit(3000)], {});
  const sent = await first.read(epoch, 1, limits);
  expect(sent?.events).toHaveLength(3);
  await setClock(first, startMs - 86_400_000, 4000, 'boot-1');
  expect(await first.read(epoch, 1, limits)).toEqual(sent);
  await first.close();
  for (const boot of ['boot-1', 'boot-2', 'boot-3']) {
    const later = await openIn(dataDir, { boot });
    expect(await later.read(epoch, 1, limits)).toEqual(sent);
    await later.append([visit(500)], {});
    await setClock(later, startMs + 7_200_000, 60_000, boot);
    expect(await later.read(epoch, 1, limits)).toEqual(sent);
    await later.close();
  }
});

test('anchors outlive a restart, in their order', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir, { boot: 'boot-1' });
  await setClock(first, startMs, 10, 'boot-1');
  await setClock(first, startMs + 5000, 20, 'boot-1');
  await first.append([visit(30)], {});
  await first.close();
  const outbox = await openIn(dataDir, { boot: 'boot-1' });
  expect(outbox.anchors()).toEqual([
    expect.objectContaining({ boot: 'boot-1', monoMs: 10, wallMs: startMs, source: 'cloud' }),
    expect.objectContaining({ boot: 'boot-1', monoMs: 20, wallMs: startMs + 5000, source: 'cloud' }),
  ]);
});

test('an agent that restarts within a boot gives the events before it their exact times', async () => {
  const { outbox, epochs } = await play([
    { boot: 'boot-1', visitsMs: [10_000] },
    { boot: 'boot-1', visitsMs: [50_000], clock: { monoMs: 60_000, wallMs: startMs } },
  ]);
  expect(await times(outbox, epochs[0])).toEqual([{ at: -50_000 }]);
  expect(await times(outbox, epochs[1])).toEqual([{ at: -10_000 }]);
});

test('events of a boot without a clock wait for a later boot that has one, and lie between the two', async () => {
  const dataDir = tempDir();
  const runs: Run[] = [
    { boot: 'boot-0', visitsMs: [0], clock: { monoMs: 0, wallMs: startMs - 60 * minuteMs } },
    { boot: 'boot-1', visitsMs: [1000], clock: { monoMs: 0, wallMs: startMs } },
    { boot: 'boot-2', visitsMs: [10_000, 70_000] },
  ];
  const { outbox: waiting, epochs } = await play(runs, dataDir);
  const clockless = epochs[2] ?? '';
  expect(await waiting.read(clockless, 1, limits)).toBeNull();
  await waiting.close();
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  expect(await outbox.read(clockless, 1, limits)).toBeNull();
  // The third boot began nine minutes after the first one's visit.
  await setClock(outbox, startMs + 10 * minuteMs, minuteMs, 'boot-3');
  expect(await times(outbox, clockless)).toEqual([
    { at: 240_500, atIs: 'estimated', atMin: 1000, atMax: 480_000 },
    { at: 300_500, atIs: 'estimated', atMin: 61_000, atMax: 540_000 },
  ]);
});

test('several boots without a clock keep their order and their distances', async () => {
  const { outbox, epochs } = await play([
    { boot: 'boot-1', visitsMs: [0], clock: { monoMs: 0, wallMs: startMs } },
    { boot: 'boot-2', visitsMs: [1000, 31_000] },
    { boot: 'boot-3', visitsMs: [2000, 62_000] },
    { boot: 'boot-4', visitsMs: [5000], clock: { monoMs: 10_000, wallMs: startMs + 10 * minuteMs } },
  ]);
  // The fourth boot began 590 s after the first visit, the third one 62 s before that at the latest.
  expect(await times(outbox, epochs[1])).toEqual([
    { at: 249_000, atIs: 'estimated', atMin: 0, atMax: 498_000 },
    { at: 279_000, atIs: 'estimated', atMin: 30_000, atMax: 528_000 },
  ]);
  expect(await times(outbox, epochs[2])).toEqual([
    { at: 280_000, atIs: 'estimated', atMin: 30_000, atMax: 530_000 },
    { at: 340_000, atIs: 'estimated', atMin: 90_000, atMax: 590_000 },
  ]);
  expect(await times(outbox, epochs[3])).toEqual([{ at: 595_000 }]);
});

test('a boot without a clock and with nothing before it is placed as late as it can be', async () => {
  const { outbox, epochs } = await play([
    { boot: 'boot-1', visitsMs: [1000, 31_000] },
    { boot: 'boot-2', visitsMs: [], clock: { monoMs: 10_000, wallMs: startMs } },
  ]);
  expect((await times(outbox, epochs[0])).map((time) => Reflect.get(time, 'atMax'))).toEqual([-40_000, -10_000]);
});

test('an estimate stands once it was made: a clock that moves or rows that go do not move it', async () => {
  const { outbox, epochs } = await play([
    { boot: 'boot-1', visitsMs: [0], clock: { monoMs: 0, wallMs: startMs } },
    { boot: 'boot-2', visitsMs: [1000, 31_000, 61_000] },
    { boot: 'boot-3', visitsMs: [5000], clock: { monoMs: 10_000, wallMs: startMs + 10 * minuteMs } },
  ]);
  const before = await times(outbox, epochs[1]);
  expect(before).toHaveLength(3);
  await setClock(outbox, startMs + 99 * minuteMs, 20_000, 'boot-3');
  expect(await times(outbox, epochs[1])).toEqual(before);
  await outbox.trim(2);
  expect((await times(outbox, epochs[1])).slice(-2)).toEqual(before.slice(-2));
});

test('a boot without a clock of which receipts alone are left does not block what comes after it', async () => {
  const dataDir = tempDir();
  const { outbox: clockless, epochs } = await play(
    [
      { boot: 'boot-1', visitsMs: [0], clock: { monoMs: 0, wallMs: startMs } },
      { boot: 'boot-2', visitsMs: [1000, 31_000] },
    ],
    dataDir,
  );
  await clockless.trim(3);
  await clockless.close();
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  await setClock(outbox, startMs + 10 * minuteMs, 10_000, 'boot-3');
  expect(await readEvents(outbox, 1, epochs[1])).toEqual([
    {
      at: startMs + 295_000,
      atIs: 'estimated',
      atMin: startMs,
      atMax: startMs + 590_000,
      kind: 'gap',
      sensor: 'agent',
      from: 1,
      to: 2,
      reason: 'trimmed',
      lost: { people: { in: 2 } },
    },
  ]);
});

test('receipts at both ends of a boot without a clock lie within the bounds too', async () => {
  const dataDir = tempDir();
  const { outbox: first } = await play(
    [{ boot: 'boot-1', visitsMs: [0], clock: { monoMs: 0, wallMs: startMs } }],
    dataDir,
  );
  await first.close();
  const clockless = await openIn(dataDir, { boot: 'boot-2' });
  await clockless.append([litres(1000, 5), visit(16_000), litres(31_000, 5)], {});
  expect(await clockless.trim(2)).toMatchObject({ measurements: 2 });
  await clockless.close();
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  await setClock(outbox, startMs + 10 * minuteMs, 10_000, 'boot-3');
  expect(await times(outbox, clockless.currentEpoch())).toEqual([
    { at: 280_000, atIs: 'estimated', atMin: 0, atMax: 560_000 },
    { at: 295_000, atIs: 'estimated', atMin: 15_000, atMax: 575_000 },
    { at: 310_000, atIs: 'estimated', atMin: 30_000, atMax: 590_000 },
  ]);
});
