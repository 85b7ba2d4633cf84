import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';
import { inspect, limits, openIn, openStored, visit, visits } from './rig.ts';

/** The real disk, with the databases that were opened on it. */
function watchedDisk(change: (db: Database.Database) => Database.Database = (db) => db): {
  disk: Disk;
  opened: Database.Database[];
} {
  const opened: Database.Database[] = [];
  const disk: Disk = {
    ...nodeDisk,
    open(path) {
      const db = change(nodeDisk.open(path));
      opened.push(db);
      return db;
    },
  };
  return { disk, opened };
}

test('every open is WAL with synchronous FULL, of a new file and of a used one', async () => {
  const dataDir = tempDir();
  const { disk, opened } = watchedDisk();
  for (const use of ['new', 'again', 'again']) {
    const outbox = await openIn(dataDir, { disk });
    const db = opened.at(-1);
    expect({ use, mode: db?.pragma('journal_mode', { simple: true }) }).toEqual({ use, mode: 'wal' });
    expect({ use, sync: db?.pragma('synchronous', { simple: true }) }).toEqual({ use, sync: 2 });
    await outbox.append([visit(1)], {});
    await outbox.close();
  }
});

test.each(['synchronous = FULL', 'journal_mode = WAL'])(
  'a database that does not take "%s" is refused',
  async (refused) => {
    const { disk } = watchedDisk((db) => {
      const pragma = db.pragma.bind(db);
      db.pragma = (source: string, options?: Database.PragmaOptions) =>
        source.startsWith(refused) ? pragma(refused.replace(/=.*/, '= OFF'), options) : pragma(source, options);
      return db;
    });
    await expect(openStored(tempDir(), { disk })).rejects.toThrow(StoreError);
  },
);

test('what a process said was committed is there after kill -9, with the memory that explains it', async () => {
  const dataDir = tempDir();
  const appender = fileURLToPath(new URL('./parts/appender.ts', import.meta.url));
  const child = spawn(process.execPath, [appender, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await waitFor('a hundred commits', () => said.split('\n').length > 100);
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
  expect(statSync(join(dataDir, 'outbox.db-wal')).size).toBeGreaterThan(0);

  const [epoch = '', ...commits] = said.split('\n').slice(0, -1);
  const said3 = Number(commits.at(-1));
  const outbox = await openIn(dataDir);
  expect(outbox.recovered).toBeNull();
  const found = outbox.positions().find(({ id }) => id === epoch);
  // One commit more may have been made than was said.
  expect([said3, said3 + 3]).toContain(found?.last);
  expect(await outbox.memory()).toEqual({ counted: String(found?.last) });
  let next = 1;
  for (let batch = await outbox.read(epoch, next, limits); batch; batch = await outbox.read(epoch, next, limits)) {
    expect(batch.events.filter((json) => json.includes('"gap"'))).toEqual([]);
    next = batch.upTo + 1;
  }
  expect(next - 1).toBe(found?.last);
});

test('nothing of a commit that fails is kept: neither events nor memory nor acknowledgements', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  const epoch = outbox.currentEpoch();
  await outbox.append(visits(2), { counted: '2' });
  outbox.acknowledge(epoch, 2);
  const broken = { bodyJson: JSON.parse('null'), transition: true, monoMs: 3 };
  await expect(outbox.append([visit(3), broken], { counted: '4' })).rejects.toThrow(StoreError);
  expect(outbox.positions()).toEqual([{ id: epoch, oldest: 1, last: 2, acked: 2 }]);
  expect(await outbox.memory()).toEqual({ counted: '2' });
  expect(inspect(dataDir, 'SELECT acked FROM epoch')).toEqual([{ acked: 0 }]);
  expect(await outbox.append([visit(3)], { counted: '3' })).toEqual({ ok: true, epoch, last: 3 });
  expect(inspect(dataDir, 'SELECT acked FROM epoch')).toEqual([{ acked: 2 }]);
});

test('maintenance hands the pages of purged rows back and empties the write-ahead log', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  const epoch = outbox.currentEpoch();
  await outbox.append(visits(5000), {});
  outbox.acknowledge(epoch, 5000);
  await outbox.purge(epoch, 5000);
  await outbox.maintain();
  const path = join(dataDir, 'outbox.db');
  expect(statSync(path).size).toBeLessThan(100_000);
  expect(statSync(`${path}-wal`).size).toBe(0);
  await outbox.append([visit(1)], {});
  expect(outbox.positions()[0]).toMatchObject({ last: 5001 });
});

test('closing leaves one file, and closing again does nothing', async () => {
  const dataDir = tempDir();
  const outbox = await openIn(dataDir);
  await outbox.append([visit(1)], {});
  await outbox.close();
  await outbox.close();
  expect(['outbox.db', 'outbox.db-wal'].map((file) => existsSync(join(dataDir, file)))).toEqual([true, false]);
});
