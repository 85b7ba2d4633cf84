import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import { isDiskFull, StoreError } from '../../../protocol/host/sqlite.ts';
import { openWithConnection, takeRoom } from '../../support/sqlite-connection.ts';
import { door, mondayTen, stationRecord, water } from '../../support/station-data.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';
import { batchItem, batchResult, laneOptions, station } from './contract/kit.ts';

const child = fileURLToPath(new URL('./committing-child.ts', import.meta.url));

async function newStore(): Promise<string> {
  const path = join(tempDir(), 'data', 'cloud.db');
  await using store = openSqliteStore(path);
  await store.addStations([{ record: stationRecord(), credential: null }]);
  return path;
}

test('every open commits at FULL in WAL, the second one of a file too', async () => {
  const path = await newStore();
  for (let round = 0; round < 2; round++) {
    const { store, db } = openWithConnection(path);
    expect(db.pragma('synchronous', { simple: true })).toBe(2);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    await store.close();
  }
});

test('a database that cannot be made durable is refused', () => {
  expect(() => openSqliteStore(':memory:')).toThrow(/expected WAL and synchronous 2, found memory/);
});

test('a file of a newer program is refused and left as it is', async () => {
  const path = await newStore();
  const db = new Database(path);
  db.pragma('user_version = 999');
  db.close();
  const before = readFileSync(path);
  expect(() => openSqliteStore(path)).toThrow(StoreError);
  expect(() => openSqliteStore(path)).toThrow(/store schema 999 is newer than this program's \d+/);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('a file is migrated once', async () => {
  const path = await newStore();
  await using store = openSqliteStore(path);
  expect(await store.stations()).toHaveLength(1);
});

test.each<[what: string, make: (path: string) => void]>([
  ['a file that is no database', (path) => writeFileSync(path, 'no database'.repeat(1000))],
  ['a folder', (path) => mkdirSync(path)],
])('%s is a StoreError that names it', (_what, make) => {
  const path = join(tempDir(), 'cloud.db');
  make(path);
  expect(() => openSqliteStore(path)).toThrow(StoreError);
  expect(() => openSqliteStore(path)).toThrow(path);
});

test('kill -9 in the midst of commits loses nothing that was reported, and keeps no half of a group', {
  timeout: 60_000,
}, async () => {
  const path = await newStore();
  let reported = 0;
  for (let round = 0; round < 2; round++) {
    reported = await commitUntilKilled(path, reported + 1);
    await using store = openSqliteStore(path);
    const { events } = await store.counts();
    expect(events).toBeGreaterThanOrEqual(reported);
    const { rows } = await store.history(station, 0, mondayTen + 1);
    expect(rows[0]?.ml).toBe(events);
    const again = Array.from({ length: reported }, () => water(1));
    const [result] = await store.commit([batchItem({ events: again })], laneOptions);
    expect(batchResult(result)).toMatchObject({ upTo: events, duplicates: reported, stored: 0 });
    reported = events;
  }
  const db = new Database(path, { readonly: true });
  onTestFinished(() => void db.close());
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
});

/** @returns the last sequence that the killed process said was committed */
async function commitUntilKilled(path: string, from: number): Promise<number> {
  const committing = spawn(process.execPath, [child, path, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void committing.kill('SIGKILL'));
  let said = '';
  committing.stdout.on('data', (text) => (said += String(text)));
  const closed = new Promise((resolve) => committing.once('close', resolve));
  await waitFor('commits', () => said.split('\n').length > 20, 30_000);
  committing.kill('SIGKILL');
  await closed;
  return Number(said.split('\n').at(-2));
}

test('a full disk is told as such, nothing of the group is kept, and with room it goes on', async () => {
  const { store, db } = openWithConnection(await newStore());
  onTestFinished(() => store.close());
  const large = Array.from({ length: 200 }, (_, index) => ({ ...water(1), note: `${index}`.repeat(100) }));
  const wide = { ...laneOptions, aheadWindow: 200 };
  const { giveRoom } = takeRoom(db);
  const failed = await store.commit([batchItem({ events: large })], wide).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(StoreError);
  expect(failed instanceof Error && isDiskFull(failed.cause)).toBe(true);
  expect(await store.counts()).toMatchObject({ events: 0 });
  giveRoom();
  const [result] = await store.commit([batchItem({ events: large })], wide);
  expect(batchResult(result)).toMatchObject({ upTo: 200, stored: 200 });
});

test('a live state that an older version wrote and this one cannot read is passed over', async () => {
  const path = await newStore();
  const { store, db } = openWithConnection(path);
  onTestFinished(() => store.close());
  db.exec(`INSERT INTO live VALUES (1, 1, 1, 1, 1, NULL, NULL, 1, NULL, 1, '{"v":0}')`);
  expect(await store.live()).toEqual([]);
});

test('what stands in epochs that are over does not pile up', async () => {
  const { store, db } = openWithConnection(await newStore());
  onTestFinished(() => store.close());
  const epochs = Array.from({ length: 30 }, (_, index) => index.toString(16).padStart(32, '0'));
  for (const [index, id] of epochs.entries()) {
    const said = epochs
      .slice(Math.max(0, index - 2), index + 1)
      .map((epoch) => ({ id: epoch, oldest: 1, last: 1, acked: 0 }));
    const hello = { kind: 'hello' as const, station, instance: epochs[0] ?? '', epochs: said };
    await store.commit([hello, batchItem({ epoch: id, events: [door(true)] })], laneOptions);
  }
  expect(db.prepare('SELECT count(*) FROM standing').pluck().get()).toBeLessThanOrEqual(2);
});
