import { expect, test } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';
import { inspect, openIn, readEvents, setClock, startMs, tamper, visit, visits } from './rig.ts';

test('an acknowledgement is durable with the next commit', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  const epoch = outbox.currentEpoch();
  await outbox.append(visits(5), {});
  outbox.acknowledge(epoch, 3);
  expect(outbox.positions()).toEqual([{ id: epoch, oldest: 1, last: 5, acked: 3 }]);
  expect(inspect(dataDir, 'SELECT acked FROM epoch')).toEqual([{ acked: 0 }]);
  await outbox.append([visit(9)], {});
  expect(inspect(dataDir, 'SELECT acked FROM epoch')).toEqual([{ acked: 3 }]);
});

test.each([
  { by: 'closing', save: (outbox: { close(): Promise<void> }) => outbox.close() },
  { by: 'maintenance', save: (outbox: { maintain(): Promise<void> }) => outbox.maintain() },
])('an acknowledgement is made durable by $by too', async ({ save }) => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  await outbox.append(visits(5), {});
  outbox.acknowledge(outbox.currentEpoch(), 4);
  await save(outbox);
  expect(inspect(dataDir, 'SELECT acked FROM epoch')).toEqual([{ acked: 4 }]);
});

test('what the cloud has is lowered again where the cloud says so', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  const epoch = outbox.currentEpoch();
  await outbox.append(visits(5), {});
  outbox.acknowledge(epoch, 5);
  await outbox.append([visit(9)], {});
  outbox.acknowledge(epoch, 2);
  await outbox.close();
  const again = await openIn(dataDir);
  expect(again.positions()[0]).toEqual({ id: epoch, oldest: 1, last: 6, acked: 2 });
});

test('an older epoch that is wholly acknowledged is kept until it is purged: a restored cloud may ask for it', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await setClock(first);
  await first.append(visits(3), {});
  const older = first.currentEpoch();
  first.acknowledge(older, 3);
  await first.close();
  const outbox = await openIn(dataDir);
  await outbox.purge(outbox.currentEpoch(), 9);
  expect(outbox.positions()[0]).toEqual({ id: older, oldest: 1, last: 3, acked: 3 });
  expect(await readEvents(outbox, 1, older)).toHaveLength(3);
});

test('purge deletes acknowledged rows alone, whatever it is asked for', async () => {
  const outbox = await openIn(tempDir());
  const epoch = outbox.currentEpoch();
  await setClock(outbox);
  await outbox.append(visits(6), {});
  outbox.acknowledge(epoch, 4);
  expect(await outbox.purge(epoch, 3)).toBe(3);
  expect(outbox.positions()[0]).toEqual({ id: epoch, oldest: 4, last: 6, acked: 4 });
  expect(await outbox.purge(epoch, 6)).toBe(1);
  expect(outbox.positions()[0]).toEqual({ id: epoch, oldest: 5, last: 6, acked: 4 });
  expect(outbox.use().rows).toBe(2);
  expect(await readEvents(outbox, 5)).toHaveLength(2);
  expect(await outbox.purge('0'.repeat(32), 9)).toBe(0);
});

test('an older epoch that is wholly purged is forgotten, with what only it needed', async () => {
  const dataDir = tempDir();
  const epochs: string[] = [];
  for (const boot of ['boot-1', 'boot-2', 'boot-3']) {
    const outbox = await openIn(dataDir, { boot });
    epochs.push(outbox.currentEpoch());
    await setClock(outbox, startMs, 0, boot);
    await outbox.append(visits(3), {});
    await outbox.close();
  }
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  const [first = '', second] = epochs;
  outbox.acknowledge(first, 3);
  await outbox.purge(first, 3);
  expect(outbox.positions().map(({ id }) => id)).toEqual([...epochs.slice(1), outbox.currentEpoch()]);
  expect(inspect(dataDir, 'SELECT id FROM boot')).toEqual([{ id: 'boot-2' }, { id: 'boot-3' }]);
  expect(inspect(dataDir, 'SELECT mono_ms FROM anchor')).toHaveLength(2);
  expect((await readEvents(outbox, 1, second)).map(({ at }) => at)).toEqual([startMs + 1, startMs + 2, startMs + 3]);
});

test('the current epoch stays when all of it is purged, and goes on counting', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  const epoch = outbox.currentEpoch();
  await outbox.append(visits(3), {});
  outbox.acknowledge(epoch, 3);
  await outbox.purge(epoch, 3);
  expect(outbox.positions()).toEqual([{ id: epoch, oldest: 4, last: 3, acked: 3 }]);
  expect(outbox.use().rows).toBe(0);
  expect(await outbox.append([visit(7)], {})).toMatchObject({ last: 4 });
});

test('a cloud that forgot purged rows is told that they are gone', async () => {
  const outbox = await openIn(tempDir());
  const epoch = outbox.currentEpoch();
  await setClock(outbox);
  await outbox.append(visits(6), {});
  outbox.acknowledge(epoch, 4);
  await outbox.purge(epoch, 4);
  outbox.acknowledge(epoch, 1);
  expect(await readEvents(outbox, 2)).toEqual([
    { at: startMs + 5, kind: 'gap', sensor: 'agent', from: 2, to: 4, reason: 'purged' },
    expect.objectContaining({ at: startMs + 5, kind: 'people' }),
    expect.objectContaining({ at: startMs + 6, kind: 'people' }),
  ]);
});

test('a cloud that forgot is told even where nothing is left after the purged rows', async () => {
  const outbox = await openIn(tempDir());
  const epoch = outbox.currentEpoch();
  await setClock(outbox);
  await outbox.append(visits(4), {});
  outbox.acknowledge(epoch, 4);
  await outbox.purge(epoch, 4);
  expect(await readEvents(outbox, 3)).toEqual([
    { at: startMs, kind: 'gap', sensor: 'agent', from: 3, to: 4, reason: 'purged' },
  ]);
});

test('rows that a damaged file lost are told as corrupt, between those that are there', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await setClock(first);
  await first.append(visits(10), {});
  const epoch = first.currentEpoch();
  await first.close();
  tamper(dataDir, 'DELETE FROM event WHERE seq IN (3, 4, 5, 8)');
  const outbox = await openIn(dataDir);
  const told = (await readEvents(outbox, 1, epoch)).map(({ kind, from, to, reason, at }) =>
    kind === 'gap' ? { from, to, reason, at } : at,
  );
  expect(told).toEqual([
    startMs + 1,
    startMs + 2,
    { from: 3, to: 5, reason: 'corrupt', at: startMs + 6 },
    startMs + 6,
    startMs + 7,
    { from: 8, to: 8, reason: 'corrupt', at: startMs + 9 },
    startMs + 9,
    startMs + 10,
  ]);
});

test('the oldest unacknowledged event is told by its time, over all epochs', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await setClock(first);
  expect(await first.oldestUnacked()).toBeNull();
  await first.append(visits(3, 100), {});
  const older = first.currentEpoch();
  expect(await first.oldestUnacked()).toBe(startMs + 100);
  first.acknowledge(older, 2);
  expect(await first.oldestUnacked()).toBe(startMs + 102);
  await first.close();
  const outbox = await openIn(dataDir);
  await outbox.append([visit(500)], {});
  expect(await outbox.oldestUnacked()).toBe(startMs + 102);
  outbox.acknowledge(older, 3);
  expect(await outbox.oldestUnacked()).toBe(startMs + 500);
});

test('an epoch of which receipts alone wait does not hide the oldest event of the next one', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await setClock(first);
  await first.append(visits(2), {});
  await first.trim(2);
  await first.close();
  const outbox = await openIn(dataDir);
  await outbox.append([visit(500)], {});
  expect(await outbox.oldestUnacked()).toBe(startMs + 500);
});
