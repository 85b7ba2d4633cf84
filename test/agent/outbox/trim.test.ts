import { expect, test } from 'vitest';
import type { Entry, Outbox } from '../../../agent/outbox/outbox.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { inspect, litres, openIn, readEvents, setClock, startMs, visit, visits } from './rig.ts';

const ml = (amount: number): Entry => litres(1, amount);

async function filled(entries: readonly Entry[], dataDir = tempDir()): Promise<Outbox> {
  const outbox = await openIn(dataDir);
  await setClock(outbox);
  await outbox.append(entries, {});
  return outbox;
}

/** `5`: an event of that sequence; `2-4 trimmed {…}`: a receipt. */
async function story(outbox: Outbox, first = 1, epoch = outbox.currentEpoch()): Promise<string[]> {
  let next = first;
  return (await readEvents(outbox, first, epoch)).map(({ kind, from, to, reason, lost }) => {
    const told = kind === 'gap' ? `${from}-${to} ${reason}${lost ? ` ${JSON.stringify(lost)}` : ''}` : `${next}`;
    next = kind === 'gap' ? Number(to) + 1 : next + 1;
    return told;
  });
}

test('acknowledged rows go first and leave no receipt: the cloud has them', async () => {
  const dataDir = tempDir();
  const outbox = await filled([...visits(5), ml(10)], dataDir);
  outbox.acknowledge(outbox.currentEpoch(), 4);
  expect(await outbox.trim(3)).toEqual({ rows: 3, measurements: 0, transitions: 0 });
  expect(outbox.positions()[0]).toMatchObject({ oldest: 4, last: 6, acked: 4 });
  expect(inspect(dataDir, 'SELECT * FROM gap')).toEqual([]);
  expect(await story(outbox, 5)).toEqual(['5', '6']);
});

test('no more acknowledged rows go than are asked for, over epochs', async () => {
  const dataDir = tempDir();
  const first = await filled(visits(2), dataDir);
  const older = first.currentEpoch();
  await first.close();
  const outbox = await filled(visits(2), dataDir);
  outbox.acknowledge(older, 2);
  outbox.acknowledge(outbox.currentEpoch(), 2);
  expect(await outbox.trim(2)).toEqual({ rows: 2, measurements: 0, transitions: 0 });
  expect(outbox.positions()).toEqual([{ id: outbox.currentEpoch(), oldest: 1, last: 2, acked: 2 }]);
});

test.each([
  {
    rows: 3,
    trimmed: { rows: 3, measurements: 2, transitions: 0 },
    left: ['2-2 thinned {"water":{"ml":10}}', '3', '4-4 thinned {"water":{"ml":20}}', '5', '6', '7'],
  },
  {
    rows: 5,
    trimmed: { rows: 5, measurements: 3, transitions: 1 },
    left: ['2-4 trimmed {"people":{"in":1},"water":{"ml":30}}', '5', '6-6 thinned {"water":{"ml":30}}', '7'],
  },
  {
    rows: 99,
    trimmed: { rows: 7, measurements: 3, transitions: 3 },
    left: ['2-7 trimmed {"people":{"in":3},"water":{"ml":60}}'],
  },
])('then measurements, then transitions, the oldest first: $rows rows', async ({ rows, trimmed, left }) => {
  const outbox = await filled([visit(1), ml(10), visit(2), ml(20), visit(3), ml(30), visit(4)]);
  outbox.acknowledge(outbox.currentEpoch(), 1);
  expect(await outbox.trim(rows)).toEqual(trimmed);
  expect(await story(outbox, 2)).toEqual(left);
});

test.each([
  { rows: 1, older: ['1', '2-2 thinned {"water":{"ml":10}}'], newer: ['1', '2'] },
  {
    rows: 3,
    older: ['1-2 trimmed {"people":{"in":1},"water":{"ml":10}}'],
    newer: ['1-1 thinned {"water":{"ml":20}}', '2'],
  },
])('the oldest first means over epochs too: $rows rows', async ({ rows, older, newer }) => {
  const dataDir = tempDir();
  const first = await filled([visit(1), ml(10)], dataDir);
  await first.close();
  const outbox = await filled([ml(20), visit(2)], dataDir);
  await outbox.trim(rows);
  expect(await story(outbox, 1, first.currentEpoch())).toEqual(older);
  expect(await story(outbox)).toEqual(newer);
});

test('a receipt holds the sums of every counted field by sensor, and the time of its first event', async () => {
  const body = (fields: object): Entry => ({ bodyJson: JSON.stringify(fields), transition: true, monoMs: 70 });
  const outbox = await filled([
    body({ kind: 'people', sensor: 'people', in: 2, out: 1, inside: 3, basis: 'counted' }),
    body({ kind: 'people', sensor: 'people', in: 1, out: 4, inside: 0, basis: 'counted' }),
    body({ kind: 'water', sensor: 'water', tankPct: 80, hotC: 90, coldC: null, ml: 250, fault: 0, filterPct: 1 }),
    body({ kind: 'port', sensor: 'port-1', state: 'charging', mw: 9000, mwh: 40 }),
    body({ kind: 'port', sensor: 'port-2', state: 'free', mw: 0, mwh: 0 }),
    body({ kind: 'sos', sensor: 'button', presses: 2 }),
    body({ kind: 'door', sensor: 'door', open: true }),
    visit(900),
  ]);
  await outbox.trim(7);
  const [receipt] = await readEvents(outbox);
  expect(receipt).toEqual({
    at: startMs + 70,
    kind: 'gap',
    sensor: 'agent',
    from: 1,
    to: 7,
    reason: 'trimmed',
    lost: { people: { in: 3, out: 5 }, water: { ml: 250 }, 'port-1': { mwh: 40 }, button: { presses: 2 } },
  });
});

test('receipts that touch become one, with both sums and the earlier time', async () => {
  const dataDir = tempDir();
  const outbox = await filled([ml(1), visit(50), ml(2), visit(60), visit(70)], dataDir);
  await outbox.trim(2);
  expect(inspect(dataDir, 'SELECT from_seq, to_seq FROM gap')).toHaveLength(2);
  await outbox.trim(1);
  const [receipt] = await readEvents(outbox);
  expect(receipt).toMatchObject({ at: startMs + 1, from: 1, to: 3, lost: { water: { ml: 3 }, people: { in: 1 } } });
  expect(inspect(dataDir, 'SELECT from_seq, to_seq FROM gap')).toEqual([{ from_seq: 1, to_seq: 3 }]);
});

test('receipts outlive a restart and are purged once they are acknowledged', async () => {
  const dataDir = tempDir();
  const first = await filled(visits(5), dataDir);
  const epoch = first.currentEpoch();
  await first.trim(3);
  await first.close();
  const outbox = await openIn(dataDir);
  expect(await story(outbox, 1, epoch)).toEqual(['1-3 trimmed {"people":{"in":3}}', '4', '5']);
  expect(outbox.use().rows).toBe(2);
  outbox.acknowledge(epoch, 4);
  await outbox.purge(epoch, 4);
  expect(outbox.positions()[0]).toMatchObject({ oldest: 5, last: 5 });
  expect(inspect(dataDir, 'SELECT * FROM gap')).toEqual([]);
});

test('an epoch whose events are all receipts is kept until those are acknowledged', async () => {
  const dataDir = tempDir();
  const first = await filled(visits(3), dataDir);
  const epoch = first.currentEpoch();
  await first.trim(3);
  await first.close();
  const outbox = await openIn(dataDir);
  expect(outbox.positions()[0]).toEqual({ id: epoch, oldest: 1, last: 3, acked: 0 });
  outbox.acknowledge(epoch, 3);
  await outbox.purge(epoch, 3);
  expect(outbox.positions().map(({ id }) => id)).toEqual([outbox.currentEpoch()]);
});

test('a batch over many receipts ends within its number of events, without a hole', async () => {
  const outbox = await filled(Array.from({ length: 700 }, (_, index) => (index % 2 === 0 ? visit(index) : ml(1))));
  expect(await outbox.trim(350)).toEqual({ rows: 350, measurements: 350, transitions: 0 });
  const batch = await outbox.read(outbox.currentEpoch(), 1, { maxEvents: 200, maxBytes: 64 * 1024 });
  expect(batch?.upTo).toBe(200);
  const told = await story(outbox);
  expect(told).toEqual(
    Array.from({ length: 200 }, (_, index) =>
      index % 2 === 0 ? `${index + 1}` : `${index + 1}-${index + 1} thinned {"water":{"ml":1}}`,
    ),
  );
});

test('a receipt counts as one event of a batch, however many it stands for', async () => {
  const outbox = await filled(visits(900));
  await outbox.trim(600);
  const batch = await outbox.read(outbox.currentEpoch(), 1, { maxEvents: 3, maxBytes: 64 * 1024 });
  expect(batch).toMatchObject({ first: 1, upTo: 602 });
  expect(batch?.events).toHaveLength(3);
});

test.each([
  { what: 'acknowledged', arrives: async (outbox: Outbox) => outbox.acknowledge(outbox.currentEpoch(), 3) },
  { what: 'under way', arrives: async (outbox: Outbox) => void (await readEvents(outbox)) },
])('a receipt that is $what does not grow: the sums of the rest would be lost with it', async ({ arrives }) => {
  const outbox = await filled([...visits(3), visit(10, 7), visit(11)]);
  await outbox.trim(3);
  await arrives(outbox);
  outbox.acknowledge(outbox.currentEpoch(), 3);
  await outbox.trim(1);
  expect(await story(outbox, 4)).toEqual(['4-4 trimmed {"people":{"in":7}}', '5']);
});

test('events that are under way become a receipt each: the cloud may have any of them', async () => {
  const outbox = await filled(visits(6));
  await outbox.read(outbox.currentEpoch(), 1, { maxEvents: 3, maxBytes: 64 * 1024 });
  await outbox.trim(5);
  const sum = '{"people":{"in":1}}';
  expect(await story(outbox)).toEqual([
    `1-1 trimmed ${sum}`,
    `2-2 trimmed ${sum}`,
    `3-3 trimmed ${sum}`,
    '4-5 trimmed {"people":{"in":2}}',
    '6',
  ]);
});

test('once the cloud says that it has less, receipts of what it lacks are joined again', async () => {
  const outbox = await filled(visits(6));
  await readEvents(outbox);
  outbox.acknowledge(outbox.currentEpoch(), 6);
  outbox.acknowledge(outbox.currentEpoch(), 1);
  await outbox.trim(5);
  expect(await story(outbox, 2)).toEqual(['2-5 trimmed {"people":{"in":4}}', '6']);
});

test('the rest of a receipt tells no sums: part of them may be counted already', async () => {
  const outbox = await filled(visits(5));
  await outbox.trim(3);
  outbox.acknowledge(outbox.currentEpoch(), 2);
  expect(await story(outbox, 3)).toEqual(['3-3 trimmed', '4', '5']);
});
