import { describe, expect, test } from 'vitest';
import { door, id32, mondayTen, people } from '../../support/station-data.ts';
import { openRig, type Rig, settle, station } from './rig.ts';

const epoch = (digit: string) => ({ id: id32(digit), oldest: 1, last: 0, acked: 0 });
const secondMs = 1000;
const minuteMs = 60 * secondMs;

const seen = (rig: Rig) => rig.live.get(station);
const inside = (count: number) => ({ people: { inside: count, basis: 'counted' as const, present: null } });

describe('a state', () => {
  test('of an epoch that no hello told of gets its order from the store', async () => {
    const rig = await openRig();
    rig.state({ epoch: id32('b'), seq: 4 });
    expect(seen(rig)).toBeNull();
    await settle();
    expect(seen(rig)).toMatchObject({ state: { seq: 4 }, reportedAt: mondayTen, online: true });
    expect(seen(rig)?.epochOrder).toBeGreaterThan(0);
  });

  test('of a known epoch is taken at once', async () => {
    const rig = await openRig();
    await rig.greet();
    rig.state({ seq: 1 });
    expect(seen(rig)?.state.seq).toBe(1);
  });

  test('of an older epoch is ignored, whatever its clock says', async () => {
    const rig = await openRig();
    await rig.greet({ epochs: [epoch('a'), epoch('b')] });
    rig.state({ epoch: id32('b'), seq: 0, ...inside(1) });
    rig.state({ epoch: id32('a'), seq: 99, at: mondayTen + minuteMs, ...inside(5) });
    expect(seen(rig)?.state).toMatchObject({ epoch: id32('b'), seq: 0, ...inside(1) });
  });

  test('that the broker kept is as old as it says, and gives way to any newer one', async () => {
    const rig = await openRig();
    rig.state({ seq: 3, at: mondayTen - 90 * minuteMs }, { retained: true });
    await settle();
    expect(seen(rig)?.reportedAt).toBe(mondayTen - 90 * minuteMs + 5000);
    rig.state({ seq: 3 });
    expect(seen(rig)?.reportedAt).toBe(mondayTen);
  });
});

describe('presence', () => {
  test.each<[what: string, nonce: string, online: boolean]>([
    ['a will of this connection', 'nonce-1', false],
    ['a will of another connection is ignored', 'nonce-0', true],
  ])('%s', async (_what, nonce, online) => {
    const rig = await openRig();
    await rig.greet();
    rig.state({ nonce: 'nonce-1' });
    rig.say('presence', { online: false, nonce });
    expect(seen(rig)?.online).toBe(online);
  });

  test('a station that comes back after its will is online with its first state', async () => {
    const rig = await openRig();
    await rig.greet();
    rig.state({ nonce: 'nonce-1' });
    rig.say('presence', { online: false, nonce: 'nonce-1' });
    rig.say('presence', { online: true, nonce: 'nonce-2' });
    rig.state({ nonce: 'nonce-2', seq: 2 });
    expect(seen(rig)?.online).toBe(true);
  });

  test('of a station that never sent a state says nothing', async () => {
    const rig = await openRig();
    rig.say('presence', { online: true, nonce: 'nonce-1' });
    expect(seen(rig)).toBeNull();
  });
});

describe('the last use', () => {
  test('comes from events that are stored, also from before the first state', async () => {
    const rig = await openRig();
    const session = await rig.greet();
    rig.events(session, [people({ in: 1, at: mondayTen - minuteMs })]);
    await settle();
    rig.state();
    expect(seen(rig)?.use.at).toBe(mondayTen - minuteMs);
    await rig.clock.advance(30 * minuteMs);
    rig.events(session, [door(true, { at: mondayTen + 25 * minuteMs })], { first: 2 });
    await settle();
    expect(seen(rig)?.use).toEqual({ at: mondayTen + 25 * minuteMs, beforeSlotAt: mondayTen - minuteMs });
  });

  test('is not later than its arrival, though a station’s clock runs ahead', async () => {
    const rig = await openRig();
    const session = await rig.greet();
    rig.state();
    rig.events(session, [people({ in: 1, at: mondayTen + 90 * minuteMs })]);
    await settle();
    expect(seen(rig)?.use.at).toBe(mondayTen);
  });
});

describe('of two boards with one identity', () => {
  const first = { instance: id32('1'), epochs: [epoch('a')] };
  const second = { instance: id32('2'), epochs: [epoch('b')] };
  const byFirst = { epoch: id32('a'), nonce: 'of-first', ...inside(1) };
  const bySecond = { epoch: id32('b'), nonce: 'of-second', ...inside(2) };

  async function twoBoards(): Promise<Rig> {
    const rig = await openRig();
    await rig.greet(first);
    rig.state(byFirst);
    await rig.greet(second);
    return rig;
  }

  test('the first one drives, for as long as it is heard', async () => {
    const rig = await twoBoards();
    for (let seq = 2; seq < 12; seq++) {
      await rig.clock.advance(30 * secondMs);
      rig.state({ ...bySecond, seq });
      rig.state({ ...byFirst, seq });
      rig.state({ ...bySecond, seq });
      expect(seen(rig)?.state).toMatchObject({ ...byFirst, seq });
    }
    expect(await rig.alarms()).toHaveProperty('duplicate-identity');
  });

  test('the second one drives once the first was not heard for two of its intervals', async () => {
    const rig = await twoBoards();
    await rig.clock.advance(60 * secondMs);
    rig.state({ ...bySecond, reportIntervalS: 1 });
    expect(seen(rig)?.state).toMatchObject(byFirst);
    await rig.clock.advance(1);
    rig.state({ ...bySecond, reportIntervalS: 1 });
    expect(seen(rig)?.state).toMatchObject(bySecond);
  });

  test('the first one drives again when the second is gone, though its epoch is older', async () => {
    const rig = await twoBoards();
    await rig.clock.advance(61 * secondMs);
    rig.state(bySecond);
    await rig.clock.advance(61 * secondMs);
    rig.state({ ...byFirst, seq: 2 });
    expect(seen(rig)?.state).toMatchObject({ ...byFirst, seq: 2 });
    rig.state({ ...byFirst, seq: 1 });
    expect(seen(rig)?.state.seq).toBe(2);
  });

  test('the second one does not get in by a state before its hello', async () => {
    const rig = await openRig();
    await rig.greet(first);
    rig.state(byFirst);
    rig.state(bySecond);
    await settle();
    expect(seen(rig)?.state).toMatchObject(byFirst);
    rig.state({ ...byFirst, seq: 2 });
    expect(seen(rig)?.state).toMatchObject({ ...byFirst, seq: 2 });
  });

  test('what the broker kept of the second one neither drives nor approves it', async () => {
    const rig = await twoBoards();
    await rig.clock.advance(10 * minuteMs);
    rig.state(bySecond, { retained: true });
    rig.state({ ...byFirst, seq: 2 });
    expect(seen(rig)?.state).toMatchObject({ ...byFirst, seq: 2 });
  });
});

test('what the broker kept of an older epoch is no newer for being another board’s', async () => {
  const rig = await openRig();
  await rig.greet({ instance: id32('2'), epochs: [epoch('b')] });
  await rig.greet({ instance: id32('1'), epochs: [epoch('a')] });
  rig.state({ epoch: id32('a'), ...inside(1) });
  await rig.clock.advance(10 * minuteMs);
  rig.state({ epoch: id32('b'), at: mondayTen - minuteMs, ...inside(2) }, { retained: true });
  expect(seen(rig)?.state).toMatchObject({ epoch: id32('a'), ...inside(1) });
});

test('a board that begins a new epoch within its connection goes on driving', async () => {
  const rig = await openRig();
  await rig.greet();
  rig.state({ nonce: 'nonce-1' });
  rig.state({ nonce: 'nonce-1', epoch: id32('b'), seq: 0, ...inside(4) });
  await settle();
  expect(seen(rig)?.state).toMatchObject({ epoch: id32('b'), ...inside(4) });
});

test('a board that restarts goes on driving with its hello', async () => {
  const rig = await openRig();
  await rig.greet();
  rig.state({ nonce: 'nonce-1' });
  rig.hello({ nonce: 'nonce-2', epochs: [epoch('a'), epoch('b')] });
  rig.state({ nonce: 'nonce-2', epoch: id32('b'), seq: 0, ...inside(4) });
  await settle();
  expect(seen(rig)?.state).toMatchObject({ epoch: id32('b'), ...inside(4) });
});

test('a station that left the register and came back starts afresh', async () => {
  const rig = await openRig();
  await rig.greet();
  rig.state();
  await rig.store.removeStation(station, mondayTen);
  rig.ingest.forget(station);
  rig.state({ seq: 2 });
  await settle();
  expect(seen(rig)?.state.seq).toBe(1);
  expect(rig.logged('station is not in the register')).toBe(1);
});
