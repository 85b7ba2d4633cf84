import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { asideFiles, damaged, makeTemplate, missing, pageBytes, type Template, zeroPage } from './corrupt-rig.ts';
import { openIn, openStored, setClock, startMs, visit } from './rig.ts';

let template: Template;
beforeAll(async () => {
  template = await makeTemplate();
});

const laterMs = startMs + 86_400_000;

/** Opened by the next boot, which has a clock. */
async function openNext(dataDir: string, disk: Disk = nodeDisk) {
  const outbox = await openIn(dataDir, { boot: 'boot-3', disk });
  await setClock(outbox, laterMs, 1000, 'boot-3');
  return outbox;
}

test.each<{ what: string; damage: (bytes: Buffer) => Buffer }>([
  { what: 'a text file', damage: () => Buffer.from('All work and no play makes Jack a dull boy.\n'.repeat(200)) },
  { what: 'a zeroed header', damage: (bytes) => bytes.fill(0, 0, 100) },
  { what: 'a zeroed first page', damage: zeroPage(1) },
  { what: 'half of the file', damage: (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2) + 77) },
  { what: 'a few bytes', damage: (bytes) => bytes.subarray(0, 20) },
  { what: 'noise', damage: (bytes) => Buffer.from(bytes.map((byte, index) => byte ^ (index % 251))) },
])('$what in place of the file is set aside, said, and a new file takes events', async ({ damage }) => {
  const dataDir = damaged(template, damage);
  const before = readFileSync(join(dataDir, 'outbox.db'));
  const outbox = await openNext(dataDir);
  const setAside = join(dataDir, 'outbox.corrupt-2026-11-23T02-00-00-000Z.db');
  expect(outbox.recovered).toMatchObject({ setAside, problem: expect.stringMatching(/\w{5}/) });
  expect(readFileSync(setAside).subarray(0, 16)).toEqual(before.subarray(0, 16));
  expect(await outbox.append([visit(1)], {})).toEqual({ ok: true, epoch: outbox.currentEpoch(), last: 1 });
  await outbox.close();
  const again = await openNext(dataDir);
  expect(again.recovered).toBeNull();
  expect(again.positions().at(-2)).toMatchObject({ last: 1 });
});

test('of a truncated file what stands before the cut is salvaged', async () => {
  const outbox = await openNext(damaged(template, (bytes) => bytes.subarray(0, 26 * pageBytes)));
  const { events = 0 } = outbox.recovered ?? {};
  expect(events).toBeGreaterThan(350);
  expect(await missing(outbox, template)).toBe(790 - events);
});

test('an empty file is a new outbox: nothing was lost', async () => {
  const outbox = await openNext(damaged(template, () => Buffer.alloc(0)));
  expect(outbox.recovered).toBeNull();
  expect(outbox.positions()).toHaveLength(1);
});

test.each([
  'meta',
  'boot',
  'sqlite_autoindex_boot_1',
  'epoch',
  'sqlite_autoindex_epoch_1',
  'sqlite_sequence',
  'anchor',
  'command',
])('no event is lost with the page of %s, and none waits for ever', async (table) => {
  const dataDir = damaged(template, zeroPage(template.roots[table] ?? 0));
  const outbox = await openNext(dataDir);
  expect(outbox.recovered).toMatchObject({ events: 790, gaps: 10, memory: 5 });
  expect(await tolerant(outbox, table)).toBe(0);
  expect(outbox.positions().map(({ id }) => id)).toEqual([...template.epochs, outbox.currentEpoch()]);
  // A new file is a new instance.
  expect(outbox.instance).not.toBe((await openIn(template.directory)).instance);
});

test('a boot whose page and index are both gone is stood in for: its anchors still tell the time', async () => {
  const [table = 0, index = 0] = [template.roots['boot'], template.roots['sqlite_autoindex_boot_1']];
  const outbox = await openNext(damaged(template, (bytes) => zeroPage(index)(zeroPage(table)(bytes))));
  expect(await missing(outbox, template)).toBe(0);
});

/** Without the anchors the events are there with estimated times. */
async function tolerant(outbox: Awaited<ReturnType<typeof openNext>>, table: string): Promise<number> {
  if (table !== 'anchor') return missing(outbox, template);
  return 790 - outbox.use().rows;
}

test('the memory is salvaged from both ends of its table', async () => {
  const outbox = await openNext(damaged(template, zeroPage(template.roots['event'] ?? 0)));
  expect(outbox.recovered).toMatchObject({ events: 0, memory: 5 });
  expect(Object.keys(await outbox.memory())).toHaveLength(5);
});

test('a page of events takes its own events alone, and they are told as gaps', async () => {
  for (let page = 14; page <= template.pages; page += 3) {
    const outbox = await openNext(damaged(template, zeroPage(page)));
    const events = outbox.recovered?.events ?? 790;
    expect({ page, events }).toEqual({ page, events: expect.toSatisfy((n: number) => n > 790 - 60) });
    expect({ page, missing: await missing(outbox, template) }).toEqual({ page, missing: 790 - events });
    expect(outbox.use().rows).toBe(events);
    await outbox.close();
  }
});

test('whatever bits turn after the first page: it opens, tells every sequence once, trims and takes events', async () => {
  const flips = fc.array(
    fc.record({ at: fc.integer({ min: pageBytes, max: template.pages * pageBytes - 1 }), bit: fc.nat({ max: 7 }) }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(flips, async (turned) => {
      const dataDir = damaged(template, (bytes) => {
        for (const { at, bit } of turned) bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        return bytes;
      });
      const { outbox } = await openStored(dataDir, { boot: 'boot-3' });
      await setClock(outbox, laterMs, 1000, 'boot-3');
      // A turned bit inside of a body that stays JSON is seen by nobody: another event, not another sequence.
      await missing(outbox, template).catch((error: Error) => {
        if (!error.message.includes('in place of')) throw error;
      });
      await outbox.trim(300);
      expect(await outbox.append([visit(1)], {})).toMatchObject({ ok: true });
      await outbox.close();
    }),
    { numRuns: 20 },
  );
});

test('a file that reads corrupt once and is sound on opening it again stays in use', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  const corrupt = join(damaged(template, zeroPage(20)), 'outbox.db');
  let opened = 0;
  const disk: Disk = { ...nodeDisk, open: (path) => nodeDisk.open(opened++ === 0 ? corrupt : path) };
  const outbox = await openNext(dataDir, disk);
  expect(outbox.recovered).toBeNull();
  expect(asideFiles(dataDir)).toEqual([]);
  expect(await missing(outbox, template)).toBe(0);
});

test('an I/O error is no corruption: nothing is set aside, and the next attempt finds everything', async () => {
  const dataDir = damaged(template, (bytes) => bytes);
  const disk: Disk = {
    ...nodeDisk,
    open(path) {
      const db = nodeDisk.open(path);
      const pragma = db.pragma.bind(db);
      db.pragma = (source: string, options?: Database.PragmaOptions) => {
        if (source.startsWith('journal_mode') && path.endsWith('outbox.db'))
          throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_READ');
        return pragma(source, options);
      };
      return db;
    },
  };
  await expect(openStored(dataDir, { disk })).rejects.toThrow(StoreError);
  expect(asideFiles(dataDir)).toEqual([]);
  expect(await missing(await openNext(dataDir), template)).toBe(0);
});
