import { expect, test } from 'vitest';
import { encodeBatch } from '../../../protocol/codec.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { inspect, limits, litres, newId, openIn, readEvents, setClock, startMs, visit, visits } from './rig.ts';

test('events are numbered from 1 and read as JSON with the time at which they happened', async () => {
  const outbox = await openIn(tempDir());
  const epoch = outbox.currentEpoch();
  await setClock(outbox, startMs, 1000);
  expect(await outbox.append([visit(1500), litres(2000.4, 250)], {})).toEqual({ ok: true, epoch, last: 2 });
  expect(await outbox.append([visit(4000)], {})).toEqual({ ok: true, epoch, last: 3 });
  expect(await outbox.read(epoch, 1, limits)).toEqual({
    first: 1,
    upTo: 3,
    events: [
      `{"at":${startMs + 500},"kind":"people","sensor":"people","in":1,"out":0,"inside":1,"basis":"counted"}`,
      `{"at":${startMs + 1000},"kind":"water","sensor":"water","tankPct":80,"hotC":90,"coldC":null,"ml":250,"fault":0,"filterPct":null}`,
      `{"at":${startMs + 3000},"kind":"people","sensor":"people","in":1,"out":0,"inside":1,"basis":"counted"}`,
    ],
  });
  expect(outbox.positions()).toEqual([{ id: epoch, oldest: 1, last: 3, acked: 0 }]);
});

test('nothing is read past the newest event, nor of an epoch that is not kept', async () => {
  const outbox = await openIn(tempDir());
  await setClock(outbox);
  expect(await outbox.read(outbox.currentEpoch(), 1, limits)).toBeNull();
  await outbox.append(visits(2), {});
  expect(await readEvents(outbox, 2)).toHaveLength(1);
  expect(await outbox.read(outbox.currentEpoch(), 3, limits)).toBeNull();
  expect(await outbox.read(newId(), 1, limits)).toBeNull();
});

test('a batch ends at its number of events, and the next one begins where it ended', async () => {
  const outbox = await openIn(tempDir());
  await setClock(outbox);
  await outbox.append(visits(450), {});
  const upTos: number[] = [];
  for (let first = 1; first <= 450; first = (upTos.at(-1) ?? 0) + 1) {
    const batch = await outbox.read(outbox.currentEpoch(), first, limits);
    expect(batch?.first).toBe(first);
    upTos.push(batch?.upTo ?? 0);
  }
  expect(upTos).toEqual([200, 400, 450]);
});

test('a batch stays below its bytes, envelope included', async () => {
  const outbox = await openIn(tempDir());
  await setClock(outbox);
  const long = { kind: 'agent', sensor: 'agent', what: 'storage-alarm', detail: { alarm: '水'.repeat(333) } };
  await outbox.append(
    Array.from({ length: 100 }, () => ({ bodyJson: JSON.stringify(long), transition: true, monoMs: 5 })),
    {},
  );
  const batch = await outbox.read(outbox.currentEpoch(), 1, limits);
  const message = encodeBatch({
    session: 's'.repeat(64),
    epoch: outbox.currentEpoch(),
    first: 1,
    events: batch?.events ?? [],
  });
  expect(message.byteLength).toBeLessThanOrEqual(65_536);
  // One more of these events, 1,100 bytes, would not have fitted.
  expect(message.byteLength).toBeGreaterThan(65_536 - 256 - 1200);
});

test('an event larger than a batch goes alone: it must not hold back the others', async () => {
  const outbox = await openIn(tempDir());
  await setClock(outbox);
  await outbox.append(visits(3), {});
  expect(await outbox.read(outbox.currentEpoch(), 2, { maxEvents: 200, maxBytes: 300 })).toMatchObject({
    first: 2,
    upTo: 2,
  });
});

test('memory is committed with the events that it explains, by key, and is there after a restart', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  await outbox.append([visit(1)], { people: '{"inside":1}', 'sensor:water': '{"ml":3}' });
  await outbox.append([visit(2)], { people: '{"inside":2}' });
  expect(await outbox.memory()).toEqual({ people: '{"inside":2}', 'sensor:water': '{"ml":3}' });
  await outbox.close();
  const again = await openIn(dataDir);
  expect(await again.memory()).toEqual({ people: '{"inside":2}', 'sensor:water': '{"ml":3}' });
});

test('a restart begins a new epoch, keeps the older ones with their events, and never appends to them', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await setClock(first);
  await first.append(visits(3), {});
  const older = first.currentEpoch();
  await first.close();
  const second = await openIn(dataDir);
  const newer = second.currentEpoch();
  expect(newer).not.toBe(older);
  await second.append([visit(50)], {});
  expect(second.positions()).toEqual([
    { id: older, oldest: 1, last: 3, acked: 0 },
    { id: newer, oldest: 1, last: 1, acked: 0 },
  ]);
  expect((await readEvents(second, 1, older)).map(({ at }) => at)).toEqual([startMs + 1, startMs + 2, startMs + 3]);
  expect(second.instance).toBe(first.instance);
  expect(first.instance).toMatch(/^[0-9a-f]{32}$/);
});

test('epochs keep their order over many restarts, and those without events are forgotten', async () => {
  const dataDir = tempDir();
  const made: string[] = [];
  for (const events of [1, 0, 2, 0, 1]) {
    const outbox = await openIn(dataDir);
    if (events > 0) {
      await outbox.append(visits(events), {});
      made.push(outbox.currentEpoch());
    }
    await outbox.close();
  }
  const outbox = await openIn(dataDir);
  expect(outbox.positions().map(({ id }) => id)).toEqual([...made, outbox.currentEpoch()]);
  expect(inspect(dataDir, 'SELECT id FROM epoch ORDER BY n')).toHaveLength(4);
});

test('an epoch opened while running takes the events from then on', async () => {
  const outbox = await openIn(tempDir());
  await outbox.append(visits(2), {});
  const older = outbox.currentEpoch();
  const newer = await outbox.openEpoch();
  expect(outbox.currentEpoch()).toBe(newer);
  expect(await outbox.append([visit(9)], {})).toEqual({ ok: true, epoch: newer, last: 1 });
  expect(outbox.positions()).toEqual([
    { id: older, oldest: 1, last: 2, acked: 0 },
    { id: newer, oldest: 1, last: 1, acked: 0 },
  ]);
});

test('use tells rows over all epochs and the bytes of the pages in use', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  await first.append(visits(500), {});
  await first.close();
  const outbox = await openIn(dataDir);
  await outbox.append(visits(3), {});
  const { rows, bytes } = outbox.use();
  expect(rows).toBe(503);
  // 503 rows of some 100 bytes.
  expect(bytes).toBeGreaterThan(40_000);
  expect(bytes).toBeLessThan(200_000);
});
