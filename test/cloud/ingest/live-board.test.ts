import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freshnessOf } from '../../../cloud/core/freshness.ts';
import { LiveBoard } from '../../../cloud/ingest/live-board.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import type { Store } from '../../../cloud/store/store.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { id32, mondayTen, stationRecord, stationState } from '../../support/station-data.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { overridden, station } from './rig.ts';

const first = id32('1');
const second = id32('2');
const secondMs = 1000;

async function newStore(): Promise<Store> {
  const store = openSqliteStore(join(tempDir(), 'cloud.db'));
  onTestFinished(() => store.close());
  await store.addStations([{ record: stationRecord(), credential: null }]);
  return store;
}

function tell(board: LiveBoard, seq: number, instance: string | null = first, arrivedAt = mondayTen) {
  const state = stationState({ seq, at: arrivedAt });
  return board.takeState(station, { state, epochOrder: 1, retained: false, arrivedAt }, instance);
}

async function reloaded(store: Store, nowMs = mondayTen + 60 * secondMs): Promise<LiveBoard> {
  const board = new LiveBoard();
  await board.load(store, nowMs);
  return board;
}

test('a restart knows what was known: state, times, use, and whose board is approved', async () => {
  const store = await newStore();
  const board = new LiveBoard();
  tell(board, 3);
  board.noteUse(station, mondayTen - 5);
  board.notePublicChange(station, mondayTen + 7);
  await board.save(store);
  const after = await reloaded(store);
  expect(after.get(station)).toEqual(board.get(station));
  expect(after.get(station)).toMatchObject({ state: { seq: 3 }, changedAt: mondayTen + 7, use: { at: mondayTen - 5 } });
  expect(tell(after, 4, second, mondayTen + 60 * secondMs)).toMatchObject({ drives: false, duplicate: true });
  expect(tell(after, 4, first, mondayTen + 60 * secondMs)).toMatchObject({ drives: true, duplicate: false });
});

test('only what changed is saved', async () => {
  const store = await newStore();
  const saved: number[] = [];
  const counting = overridden(store, {
    saveLive: async (records) => {
      saved.push(records.length);
      return store.saveLive(records);
    },
  });
  const board = new LiveBoard();
  await board.save(counting);
  tell(board, 1);
  await board.save(counting);
  await board.save(counting);
  tell(board, 0);
  await board.save(counting);
  board.notePublicChange(station, mondayTen + 1);
  await board.save(counting);
  expect(saved).toEqual([1, 1]);
});

test('what a full disk could not take is saved the next time', async () => {
  const store = await newStore();
  const full = overridden(store, { saveLive: () => Promise.reject(new StoreError('disk full')) });
  const board = new LiveBoard();
  tell(board, 5);
  await expect(board.save(full)).rejects.toThrow('disk full');
  await board.save(store);
  expect((await reloaded(store)).get(station)?.state.seq).toBe(5);
});

test('a follower is told of every record that became another one, and of nothing else', () => {
  const board = new LiveBoard();
  const told: string[] = [];
  board.listen((id) => told.push(id));
  tell(board, 2);
  tell(board, 1);
  tell(board, 3, second);
  expect(told).toEqual([station]);
  board.takePresence(station, false, 'nonce-1');
  board.takePresence(station, false, 'nonce-1');
  board.noteUse(station, mondayTen);
  expect(told).toEqual([station, station, station]);
});

test('a use from before the first state is not forgotten, the latest of several', () => {
  const board = new LiveBoard();
  board.noteUse(station, mondayTen - 5);
  board.noteUse(station, mondayTen - 9);
  expect(board.get(station)).toBeNull();
  tell(board, 1);
  expect(board.get(station)?.use).toEqual({ at: mondayTen - 5, beforeSlotAt: null });
  tell(board, 2);
  expect(board.get(station)?.use).toEqual({ at: mondayTen - 5, beforeSlotAt: null });
});

test('a public change of a station without a state is nothing', async () => {
  const store = await newStore();
  const board = new LiveBoard();
  board.notePublicChange(station, mondayTen);
  await board.save(store);
  expect(await store.live()).toEqual([]);
});

test('what an earlier process knew of a time that is still to come is offline, and holds up no board', async () => {
  const store = await newStore();
  const board = new LiveBoard();
  tell(board, 3);
  await board.save(store);
  const yearAgo = mondayTen - 365 * 24 * 3600 * secondMs;
  const after = await reloaded(store, yearAgo);
  const { reportedAt = 0 } = after.get(station) ?? {};
  expect(freshnessOf(reportedAt, 30, yearAgo)).toBe('offline');
  expect(tell(after, 3, first, yearAgo + secondMs)).toMatchObject({ drives: true });
  expect(after.get(station)).toMatchObject({ reportedAt: yearAgo + secondMs });
});

test('a clock that is set takes along what this process stamped, and not what an earlier one did', async () => {
  const store = await newStore();
  const board = new LiveBoard();
  tell(board, 3);
  board.noteUse(station, mondayTen - 5);
  await board.save(store);
  const hour = 3600 * secondMs;
  board.shift(hour);
  expect(board.get(station)).toMatchObject({
    reportedAt: mondayTen + hour,
    beatAt: mondayTen + hour,
    changedAt: mondayTen + hour,
    use: { at: mondayTen + hour - 5 },
  });
  expect(tell(board, 3, second, mondayTen + hour + secondMs)).toMatchObject({ drives: false });
  const after = await reloaded(store);
  after.noteUse(station, mondayTen);
  after.shift(hour);
  expect(after.get(station)).toMatchObject({ reportedAt: mondayTen });
});
