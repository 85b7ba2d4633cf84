import { describe, expect, test } from 'vitest';
import type { Store } from '../../../cloud/store/store.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { takeRoom } from '../../support/sqlite-connection.ts';
import { id32, mondayTen, water } from '../../support/station-data.ts';
import { Gate, openRig, overridden, settle, station } from './rig.ts';

const drops = (count: number) => Array.from({ length: count }, () => water(1));

test('a hello is welcomed with its nonce, a session and how far its epochs are stored', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  rig.events(session, drops(2));
  await settle();
  await rig.greet({ nonce: 'nonce-2' });
  expect(rig.told('welcome')[1]).toEqual({
    v: 1,
    nonce: 'nonce-2',
    session: 'session-2',
    now: mondayTen,
    epochs: [{ id: id32('a'), upTo: 2 }],
  });
});

test('a batch is acknowledged with its session, epoch and the time', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  await rig.clock.advance(500);
  rig.events(session, drops(3));
  await settle();
  expect(rig.told('ack')).toEqual([{ v: 1, session, epoch: id32('a'), upTo: 3, now: mondayTen + 500 }]);
});

test('nothing is answered before its commit, and what is acknowledged another process can read', async () => {
  const commits = new Gate();
  const rig = await openRig({ wrap: commits.wrap });
  const other = rig.beside();
  rig.hello();
  await settle();
  expect(rig.answers).toEqual([]);
  await commits.let();
  rig.events('session-1', drops(3));
  await settle();
  expect(rig.told('ack')).toEqual([]);
  let storedAtAck: unknown;
  rig.onAnswer = () => {
    storedAtAck = other.counts();
  };
  await commits.let();
  expect(rig.told('ack')).toMatchObject([{ upTo: 3 }]);
  expect(await storedAtAck).toMatchObject({ events: 3 });
});

test('several batches of one group are acknowledged once, with the end of the last', async () => {
  const rig = await openRig({ stations: ['other'] });
  const session = await rig.greet();
  const others = await rig.greet({ from: 'other' });
  for (const first of [1, 3, 5]) rig.events(session, drops(2), { first });
  rig.events(session, drops(1), { epoch: id32('b') });
  rig.events(others, drops(1), { from: 'other' });
  await settle();
  expect(rig.told('ack').map(({ session: of, epoch, upTo }) => [of, epoch.slice(0, 1), upTo])).toEqual([
    [session, 'a', 6],
    [session, 'b', 1],
    [others, 'a', 1],
  ]);
  expect(rig.ingest.counts).toMatchObject({ stored: 8, acks: 3 });
});

test('a duplicate is acknowledged again', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  for (let round = 0; round < 2; round++) {
    rig.events(session, drops(2));
    await settle();
  }
  expect(rig.told('ack').map(({ upTo }) => upTo)).toEqual([2, 2]);
  expect(rig.ingest.counts).toMatchObject({ stored: 2, duplicates: 2 });
});

test('a group is answered for what it holds, not again for the groups before it', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  for (const epoch of [id32('a'), id32('b')]) {
    rig.events(session, drops(2), { epoch });
    await settle();
  }
  expect(rig.told('ack').map(({ epoch }) => epoch)).toEqual([id32('a'), id32('b')]);
});

test('events ahead of a hole are acknowledged up to the hole', async () => {
  const rig = await openRig({ config: { aheadWindow: 5 } });
  const session = await rig.greet();
  rig.events(session, drops(9), { first: 3 });
  await settle();
  expect(rig.told('ack')).toMatchObject([{ upTo: 0 }]);
  expect(rig.ingest.counts).toMatchObject({ stored: 3, tooFarAhead: 6 });
});

describe('when the store fails', () => {
  const broken = (rig: { fail: boolean }) => (store: Store) =>
    overridden(store, {
      commit: async (items, options) => {
        if (rig.fail) throw new StoreError('disk I/O error');
        return store.commit(items, options);
      },
    });

  test('nothing is acknowledged from then on, and whoever runs the cloud is told', async () => {
    const fault = { fail: false };
    const rig = await openRig({ wrap: broken(fault) });
    const session = await rig.greet();
    fault.fail = true;
    rig.events(session, drops(1));
    await settle();
    expect(rig.failures).toMatchObject([{ message: 'disk I/O error' }]);
    fault.fail = false;
    rig.events(session, drops(1));
    await settle();
    expect(rig.told('ack')).toEqual([]);
    expect(rig.fulls).not.toContain(true);
  });

  test('those who were held back are let go', async () => {
    const fault = { fail: true };
    const rig = await openRig({ wrap: broken(fault), config: { maxQueuedBytes: 10 } });
    const room = rig.hello();
    await expect(room).resolves.toBeUndefined();
    expect(rig.failures).toHaveLength(1);
  });
});

describe('when the disk is full', () => {
  const large = Array.from({ length: 100 }, (_, index) => ({ ...water(1), note: `${index}`.repeat(200) }));

  test('nothing is acknowledged, nothing fails, and with room what is sent again is', async () => {
    let tries = 0;
    const wrap = (store: Store) =>
      overridden(store, {
        commit: (items, options) => {
          tries += 1;
          return store.commit(items, options);
        },
      });
    const rig = await openRig({ wrap, config: { maxQueuedBytes: 20_000 } });
    const session = await rig.greet();
    const { giveRoom } = takeRoom(rig.db);
    tries = 0;
    rig.events(session, large);
    await settle();
    expect(rig.told('ack')).toEqual([]);
    expect(rig.fulls.at(-1)).toBe(true);
    await rig.clock.advance(999);
    rig.events(session, large);
    await settle();
    expect(tries).toBe(1);
    await rig.clock.advance(1);
    await settle();
    expect(tries).toBe(2);
    expect(rig.told('ack')).toEqual([]);
    giveRoom();
    await rig.clock.advance(1000);
    rig.events(session, large);
    await settle();
    expect(rig.told('ack')).toMatchObject([{ upTo: 100 }]);
    expect(rig.fulls.at(-1)).toBe(false);
    expect(rig.failures).toEqual([]);
    expect(rig.ingest.counts.stored).toBe(100);
  });

  test('an alarm is not written down, and nothing else is the worse for it', async () => {
    const cause = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    const wrap = (store: Store) =>
      overridden(store, { raiseAlarm: () => Promise.reject(new StoreError(cause.message, { cause })) });
    const rig = await openRig({ wrap });
    await rig.greet({ epochs: [{ id: id32('a'), oldest: 1, last: 9, acked: 9 }] });
    expect(rig.logged('no room for a note')).toBe(1);
    expect({ fulls: rig.fulls, failures: rig.failures }).toEqual({ fulls: [], failures: [] });
  });

  test('the ingest can be stopped', async () => {
    const rig = await openRig();
    const session = await rig.greet();
    takeRoom(rig.db);
    rig.events(session, large);
    await settle();
    await rig.ingest.stop();
    expect(rig.told('ack')).toEqual([]);
  });
});

test('a station that the register does not have gets no answer, and is told of once', async () => {
  const rig = await openRig();
  for (const from of ['nobody', 'no-one', 'none']) rig.hello({ from });
  rig.state({}, { from: 'nobody' });
  await settle();
  expect(rig.answers).toEqual([]);
  expect(rig.live.get('nobody')).toBeNull();
  expect(rig.logged('station is not in the register')).toBe(1);
  expect(rig.refusals.counts()).toEqual({ 'unknown station': 4 });
});

test('a stopped ingest has committed what it took, and takes nothing more', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  rig.events(session, drops(2));
  await rig.ingest.stop();
  expect(rig.told('ack')).toMatchObject([{ upTo: 2 }]);
  rig.events(session, drops(4));
  await settle();
  expect(rig.told('ack')).toHaveLength(1);
  expect(await rig.store.counts()).toMatchObject({ events: 2 });
});

test('a reply to a command is kept for whoever sent it', async () => {
  const rig = await openRig({ stations: ['other'] });
  await rig.store.addCommand({ id: 'c-1', station, name: 'report-now', args: {}, expires: mondayTen + 1 });
  rig.say('replies', { id: 'c-1', ok: false, error: 'not mine' }, { from: 'other' });
  await settle();
  expect(await rig.store.commandReply('c-1')).toBeNull();
  rig.say('replies', { id: 'c-1', ok: true, result: 7 });
  await settle();
  expect(JSON.parse((await rig.store.commandReply('c-1')) ?? '')).toMatchObject({ id: 'c-1', ok: true, result: 7 });
});
