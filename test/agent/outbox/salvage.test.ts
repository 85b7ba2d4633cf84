import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { asideFiles, damaged, makeTemplate, missing, type Template, zeroPage } from './corrupt-rig.ts';
import { inspect, limits, openIn, openStored, readEvents, setClock, startMs, tamper, visits } from './rig.ts';

let template: Template;
beforeAll(async () => {
  template = await makeTemplate();
});

/** A disk that loses power at its n-th step: that one is not done, nor any after it. */
function cutAt(n: number): Disk {
  let steps = 0;
  const powered = <T>(step: () => T): T => {
    steps += 1;
    if (steps >= n) throw new Error('power cut');
    return step();
  };
  return {
    ...nodeDisk,
    open: (path) => powered(() => nodeDisk.open(path)),
    rename: (from, to) => powered(() => nodeDisk.rename(from, to)),
    remove: (path) => powered(() => nodeDisk.remove(path)),
  };
}

test('a salvage that is cut off at any step is done at the next start: nothing that could be read is lost', async () => {
  let cuts = 0;
  for (let n = 1; ; n++) {
    const dataDir = damaged(template, zeroPage(template.roots['epoch'] ?? 0));
    const first = await openStored(dataDir, { disk: cutAt(n), boot: 'boot-3' }).catch((error: unknown) => error);
    if (!(first instanceof Error)) break;
    expect(first).toBeInstanceOf(StoreError);
    cuts += 1;
    const outbox = await openIn(dataDir, { boot: 'boot-3' });
    await setClock(outbox, startMs, 1000, 'boot-3');
    expect({ n, missing: await missing(outbox, template) }).toEqual({ n, missing: 0 });
    expect({ n, aside: asideFiles(dataDir).length }).toEqual({ n, aside: 1 });
    await outbox.close();
    expect(readdirSync(dataDir).filter((file) => file.includes('salvaged'))).toEqual([]);
  }
  // Opening and checking twice, the new file, the old one in it, three moves: each was cut.
  expect(cuts).toBeGreaterThanOrEqual(6);
});

test('a disk too full for the salvage leaves the corrupt file where it is, for another attempt', async () => {
  const dataDir = damaged(template, zeroPage(20));
  const full: Disk = {
    ...nodeDisk,
    open(path) {
      const db = nodeDisk.open(path);
      if (path.includes('salvaged')) db.pragma('max_page_count = 20');
      return db;
    },
  };
  await expect(openStored(dataDir, { disk: full })).rejects.toThrow(StoreError);
  expect(asideFiles(dataDir)).toEqual([]);
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  expect(outbox.recovered?.events).toBeGreaterThan(700);
});

test('what an earlier salvage left behind is no obstacle, whatever it is', async () => {
  const dataDir = damaged(template, zeroPage(20));
  writeFileSync(join(dataDir, 'outbox.salvaged.db'), 'half of a salvage, damaged too');
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  expect(outbox.recovered?.events).toBeGreaterThan(700);
});

test('a row whose content the schema refuses is left out alone', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  withoutTypes(dataDir, "UPDATE event SET mono_ms = 'soon' WHERE epoch = 2 AND seq = 7");
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  expect(outbox.recovered).toMatchObject({ problem: expect.stringContaining('mono_ms'), events: 789 });
  expect(await missing(outbox, template)).toBe(1);
});

/** Writes what a STRICT table does not take, as damage within a page does. */
function withoutTypes(dataDir: string, statement: string): void {
  for (const [from, to, change] of [
    ['STRICT, WITHOUT ROWID', 'WITHOUT ROWID', ''],
    ['WITHOUT ROWID', 'STRICT, WITHOUT ROWID', statement],
  ]) {
    const db = new Database(join(dataDir, 'outbox.db'));
    db.unsafeMode(true);
    if (change) db.exec(change);
    db.exec(
      `PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}') WHERE name = 'event'`,
    );
    db.close();
  }
}

test('two files that are set aside in the same moment get names of their own', async () => {
  const dataDir = damaged(template, zeroPage(20));
  await (await openStored(dataDir)).outbox.close();
  writeFileSync(join(dataDir, 'outbox.db'), 'damaged again');
  const outbox = await openIn(dataDir);
  expect(outbox.recovered?.setAside).toBe(join(dataDir, 'outbox.corrupt-2026-11-23T02-00-00-000Z-2.db'));
  expect(asideFiles(dataDir)).toHaveLength(2);
});

test('what stands in the log of a corrupt file alone is salvaged too', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  const running = await openIn(dataDir, { boot: 'boot-3' });
  await running.append(visits(30), {});
  const killed = damaged({ ...template, directory: dataDir }, zeroPage(20));
  expect(statSync(join(killed, 'outbox.db-wal')).size).toBeGreaterThan(4096);
  const outbox = await openIn(killed, { boot: 'boot-3' });
  expect(outbox.recovered).not.toBeNull();
  expect(outbox.positions().find(({ id }) => id === running.currentEpoch())).toMatchObject({ last: 30 });
});

test('sequences that could not be read leave durable receipts, counted as no rows', async () => {
  const dataDir = damaged(template, zeroPage(20));
  const outbox = await openIn(dataDir, { boot: 'boot-3' });
  const lost = 790 - (outbox.recovered?.events ?? 0);
  const receipts = inspect<{ from_seq: number; to_seq: number }>(
    dataDir,
    "SELECT from_seq, to_seq FROM gap WHERE reason = 'corrupt'",
  );
  expect(receipts.reduce((sum, { from_seq, to_seq }) => sum + to_seq - from_seq + 1, 0)).toBe(lost);
  expect(lost).toBeGreaterThan(10);
  expect(outbox.use().rows).toBe(790 - lost);
});

test('commands that ran are remembered: they do not run again', async () => {
  const outbox = await openIn(damaged(template, zeroPage(20)));
  expect(await outbox.beginCommand('command-boot-1', 0)).toEqual({ kind: 'interrupted' });
});

test('epochs of which only the index is left keep the times of their boots', async () => {
  const outbox = await openIn(damaged(template, zeroPage(template.roots['epoch'] ?? 0)), { boot: 'boot-3' });
  expect(
    inspect(join(outbox.recovered?.setAside ?? '', '..'), 'SELECT id, boot FROM epoch ORDER BY n LIMIT 2'),
  ).toEqual([
    { id: template.epochs[0], boot: 1 },
    { id: template.epochs[1], boot: 2 },
  ]);
});

test('the boot that runs is known again by its index: its events get their exact times', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  const first = await openIn(dataDir, { boot: 'boot-3' });
  await first.append([{ bodyJson: '{"kind":"door","sensor":"door","open":true}', transition: true, monoMs: 500 }], {});
  const epoch = first.currentEpoch();
  await first.close();
  const again = damaged({ ...template, directory: dataDir }, zeroPage(template.roots['boot'] ?? 0));
  const outbox = await openIn(again, { boot: 'boot-3' });
  await setClock(outbox, startMs, 1500, 'boot-3');
  expect((await readEvents(outbox, 1, epoch))[0]).toEqual({
    at: startMs - 1000,
    kind: 'door',
    sensor: 'door',
    open: true,
  });
});

test.each([
  { what: 'its text is no JSON', statement: `UPDATE event SET body = '{"kind":"people"' WHERE seq = 5` },
  { what: 'its text is a list', statement: `UPDATE event SET body = '["kind":1}' WHERE seq = 5` },
])('a damaged event ($what) is told as corrupt and does not spoil its batch', async ({ statement }) => {
  const dataDir = damaged(template, (bytes) => bytes);
  tamper(dataDir, `${statement} AND epoch = 2`);
  const outbox = await openIn(dataDir);
  const events = await readEvents(outbox, 1, template.epochs[1]);
  expect(events[4]).toMatchObject({ kind: 'gap', from: 5, to: 5, reason: 'corrupt' });
  expect(events[5]).toMatchObject({ kind: 'people' });
  const alone = await readEvents(outbox, 5, template.epochs[1]);
  expect(alone[0]).toEqual(events[4]);
});

test.each(['{"people":{"in":', '{"people":{"in":-4}}', '{"PEOPLE":{"in":4}}', '7'])(
  'damaged sums (%s) of a receipt are left out: the receipt itself counts',
  async (lost) => {
    const dataDir = damaged(template, (bytes) => bytes);
    tamper(dataDir, `UPDATE gap SET lost = '${lost}', reason = 'thinnee'`);
    const outbox = await openIn(dataDir);
    const receipt = (await readEvents(outbox, 1, template.epochs[0])).find(({ kind }) => kind === 'gap');
    expect(receipt).toEqual({
      kind: 'gap',
      sensor: 'agent',
      from: 3,
      to: 3,
      reason: 'corrupt',
      at: expect.any(Number),
    });
    expect(await outbox.trim(300)).toMatchObject({ rows: 300 });
  },
);

test('a receipt that stands where an event does too does not stop a trim', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  tamper(dataDir, "INSERT INTO gap VALUES (2, 1, 1, 0, NULL, 'trimmed', '{}')");
  const outbox = await openIn(dataDir);
  expect(await outbox.trim(790)).toMatchObject({ rows: 790 });
  expect(await readEvents(outbox, 1, template.epochs[1])).toMatchObject([{ kind: 'gap', from: 1, to: 400 }]);
});

test.each([
  `UPDATE event SET body = '{"kind":"people"' WHERE seq = 8`,
  `UPDATE event SET body = '{"kind":"people","sensor":"PEOPLE","in":1}' WHERE seq = 8`,
  `UPDATE event SET body = '{"kind":"people","sensor":"people","in":-1}' WHERE seq = 8`,
])('a damaged event is trimmed like any other, without sums: %s', async (statement) => {
  const dataDir = damaged(template, (bytes) => bytes);
  tamper(dataDir, statement);
  const outbox = await openIn(dataDir);
  expect(await outbox.trim(790)).toMatchObject({ rows: 790 });
  const [receipt] = await readEvents(outbox, 1, template.epochs[1]);
  expect(receipt).toMatchObject({ from: 1, to: 400, lost: { people: { in: 299 } } });
});

test('a receipt that damage made overlap events gives way to them', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  tamper(dataDir, 'UPDATE gap SET to_seq = 300 WHERE from_seq = 3');
  const outbox = await openIn(dataDir);
  const batch = await outbox.read(template.epochs[0] ?? '', 1, limits);
  const [receipt, next] = (batch?.events ?? []).slice(2, 4).map((json) => JSON.parse(json));
  expect(receipt).toMatchObject({ kind: 'gap', from: 3, to: 3 });
  expect(receipt.lost).toBeUndefined();
  expect(next).toMatchObject({ kind: 'people' });
});
