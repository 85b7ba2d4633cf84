import { expect, test } from 'vitest';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { inspect, readEvents } from './rig.ts';
import { overridden, startWriter } from './writer-rig.ts';

test('a transition is committed 50 ms after it was said, not before', async () => {
  const { writer: _, clock, committed, ...say } = await startWriter();
  say.in();
  await clock.advance(49);
  expect(committed).toEqual([]);
  await clock.advance(1);
  expect(committed).toEqual([1]);
});

test('a measurement waits 2 s for company', async () => {
  const { clock, committed, ...say } = await startWriter();
  say.ml();
  await clock.advance(1999);
  expect(committed).toEqual([]);
  await clock.advance(1);
  expect(committed).toEqual([1]);
});

test('a transition takes the waiting measurements along, in the order in which they were said', async () => {
  const { clock, committed, outbox, ...say } = await startWriter();
  say.ml(7);
  await clock.advance(1000);
  say.in();
  say.ml(8);
  await clock.advance(50);
  expect(committed).toEqual([3]);
  expect((await readEvents(outbox)).map(({ kind, ml }) => ml ?? kind)).toEqual([7, 'people', 8]);
  await clock.advance(5000);
  expect(committed).toEqual([3]);
});

test('events that keep coming do not put a commit off', async () => {
  const { clock, committed, ...say } = await startWriter();
  for (let n = 0; n < 5; n++) {
    say.in();
    await clock.advance(20);
  }
  expect(committed).toEqual([3]);
});

test('what is said while a commit is under way goes with the next one, at once', async () => {
  const gate = Promise.withResolvers<void>();
  const groups: number[] = [];
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, (real) => ({
      async append(entries, memory) {
        groups.push(entries.length);
        await gate.promise;
        return real.append(entries, memory);
      },
    }));
  const { clock, committed, ...say } = await startWriter({ wrap });
  say.in();
  say.in();
  await clock.advance(50);
  say.ml();
  gate.resolve();
  await clock.advance(0);
  expect(groups).toEqual([2, 1]);
  expect(committed).toEqual([2, 3]);
});

test('the memory that explains the events is committed with them; of the rest only what changed', async () => {
  const { clock, dataDir, memory, ...say } = await startWriter();
  Object.assign(memory, { people: '1', 'sensor:water': '10' });
  say.in();
  // What the events of one group say is explained by the memory at their commit.
  memory['people'] = '2';
  await clock.advance(50);
  expect(inspect(dataDir, 'SELECT key, body FROM checkpoint')).toEqual([
    { key: 'people', body: '2' },
    { key: 'sensor:water', body: '10' },
  ]);
  const before = inspect(dataDir, 'SELECT * FROM checkpoint');
  memory['people'] = '3';
  await clock.advance(5000);
  expect(inspect(dataDir, 'SELECT * FROM checkpoint')).toEqual(before);
  say.in();
  await clock.advance(50);
  expect(inspect(dataDir, "SELECT body FROM checkpoint WHERE key = 'people'")).toEqual([{ body: '3' }]);
});

test('memory that is as it was committed is not written again, not even after a restart', async () => {
  const written: string[][] = [];
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, (real) => ({
      append(entries, memory) {
        written.push(Object.keys(memory));
        return real.append(entries, memory);
      },
    }));
  const first = await startWriter({ wrap });
  Object.assign(first.memory, { a: '1', b: '1' });
  first.in();
  await first.writer.flush();
  first.memory['b'] = '2';
  first.in();
  await first.writer.flush();
  await first.outbox.close();
  const second = await startWriter({ wrap, dataDir: first.dataDir });
  Object.assign(second.memory, { a: '1', b: '2', c: '1' });
  second.in();
  await second.writer.flush();
  expect(written).toEqual([['a', 'b'], ['b'], ['c']]);
});

test('flush commits at once what waits, and resolves when it is committed', async () => {
  const { writer, committed, clock, ...say } = await startWriter();
  say.ml();
  await writer.flush();
  expect(committed).toEqual([1]);
  await writer.flush();
  expect(committed).toEqual([1]);
  expect(clock.pending).toBe(0);
});

test('a closed writer takes nothing, commits nothing and leaves no timer', async () => {
  const { writer, clock, committed, failures, ...say } = await startWriter();
  say.in();
  writer.close();
  say.in();
  await writer.flush();
  await clock.advance(60_000);
  expect({ committed, failures, timers: clock.pending }).toEqual({ committed: [], failures: [], timers: 0 });
});

test('an outbox that fails is reported once, and nothing more is taken', async () => {
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, () => ({
      async append() {
        throw new StoreError('disk I/O error');
      },
    }));
  const { writer, clock, committed, failures, ...say } = await startWriter({ wrap });
  say.in();
  await clock.advance(50);
  say.in();
  await clock.advance(10_000);
  await writer.flush();
  expect(failures).toEqual([new StoreError('disk I/O error')]);
  expect(committed).toEqual([]);
});

test('more events than may wait are a failure: memory has its bound too', async () => {
  const wrap = (outbox: Outbox): Outbox =>
    overridden(outbox, () => ({ append: async () => ({ ok: false, why: 'disk-full' }) }));
  const { clock, failures, ...say } = await startWriter({ wrap, maxPending: 100 });
  for (let n = 0; n < 100; n++) say.in();
  await clock.advance(100);
  expect(failures).toEqual([]);
  say.in();
  say.in();
  expect(failures).toEqual([new Error('100 events wait for a disk that takes none')]);
});

test('beyond its rows the outbox is trimmed by 5 % of them, and what was lost is told', async () => {
  const { writer, outbox, trimmed, ...say } = await startWriter({ maxRows: 100 });
  for (let n = 0; n < 100; n++) say.in();
  await writer.flush();
  expect(trimmed).toEqual([]);
  say.in();
  await writer.flush();
  expect(trimmed).toEqual([{ rows: 6, measurements: 0, transitions: 6 }]);
  expect(outbox.use().rows).toBe(95);
});

test('acknowledged rows that are trimmed are no loss and are not told', async () => {
  const { writer, outbox, trimmed, ...say } = await startWriter({ maxRows: 100 });
  for (let n = 0; n < 100; n++) say.in();
  await writer.flush();
  outbox.acknowledge(outbox.currentEpoch(), 50);
  say.in();
  await writer.flush();
  expect(trimmed).toEqual([]);
  expect(outbox.use().rows).toBe(95);
});

test('beyond its bytes the outbox is trimmed too', async () => {
  const { writer, outbox, trimmed, ...say } = await startWriter({ maxBytes: 262_144 });
  for (let group = 0; group < 40; group++) {
    for (let n = 0; n < 100; n++) say.in();
    await writer.flush();
  }
  expect(trimmed.length).toBeGreaterThan(0);
  expect(outbox.use().bytes).toBeLessThan(262_144 + 3 * 4096);
  expect(outbox.use().rows).toBeGreaterThan(1000);
});
