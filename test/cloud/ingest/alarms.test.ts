import { describe, expect, test } from 'vitest';
import { id32, water } from '../../support/station-data.ts';
import { openRig, settle, station } from './rig.ts';

const epoch = (digit: string, last = 0, acked = 0) => ({ id: id32(digit), oldest: 1, last, acked });
const firstBoard = { instance: id32('1'), epochs: [epoch('a')] };
const secondBoard = { instance: id32('2'), epochs: [epoch('b')] };

describe('an alarm is raised', () => {
  test('where a station was told that more is stored than is', async () => {
    const rig = await openRig();
    await rig.greet({ epochs: [epoch('a', 5, 5)] });
    expect(Object.keys(await rig.alarms())).toEqual(['acked-ahead']);
  });

  test('where a sequence comes again with other bytes', async () => {
    const rig = await openRig();
    const session = await rig.greet();
    for (const ml of [1, 2]) {
      rig.events(session, [water(ml)]);
      await settle();
    }
    expect((await rig.alarms())['sequence-conflict']).toMatch(/^1 events/);
    expect(rig.told('ack').at(-1)).toMatchObject({ upTo: 1 });
  });

  test('where a new log begins and what was known of the old one never came', async () => {
    const rig = await openRig();
    await rig.greet(firstBoard);
    rig.state({ epoch: id32('a'), seq: 7 });
    await settle();
    await rig.live.save(rig.store);
    await rig.greet(secondBoard);
    expect((await rig.alarms())['tail-unknown']).toBe(
      `instance 22222222 is new, an older log never sent: up to 7 events of epoch ${id32('a')}`,
    );
  });

  test('where an older epoch is alive beside a newer one', async () => {
    const rig = await openRig();
    const older = { epochs: [epoch('a')] };
    await rig.greet(older);
    await rig.greet({ epochs: [epoch('a'), epoch('b')] });
    expect(await rig.alarms()).toEqual({});
    await rig.greet(older);
    expect((await rig.alarms())['duplicate-identity']).toMatch(/older epoch of instance 11111111/);
  });

  test('where a second board speaks beside the first one', async () => {
    const rig = await openRig();
    await rig.greet(firstBoard);
    rig.state({ epoch: id32('a') });
    await rig.greet(secondBoard);
    rig.state({ epoch: id32('b') });
    await settle();
    expect((await rig.alarms())['duplicate-identity']).toBe('instance 22222222 speaks beside 11111111');
  });
});

test('none is raised by a station that goes its way', async () => {
  const rig = await openRig();
  const session = await rig.greet(firstBoard);
  rig.events(session, [water(1)]);
  rig.state({ epoch: id32('a') });
  await settle();
  await rig.greet({ ...firstBoard, epochs: [epoch('a', 1, 1), epoch('c')] });
  await rig.greet({ ...firstBoard, epochs: [epoch('c')] });
  rig.state({ epoch: id32('c'), seq: 0 });
  await settle();
  expect(await rig.alarms()).toEqual({});
});

test('a standing trouble is written down once a minute, each station’s and each kind by itself', async () => {
  const rig = await openRig({ stations: ['other'] });
  const ahead = { epochs: [epoch('a', 5, 5)] };
  const raised = (): unknown[] =>
    rig.lines.filter(({ msg }) => msg === 'alarm').map(({ station: of, kind }) => [of, kind]);
  await rig.greet(ahead);
  await rig.greet(ahead);
  await rig.greet({ ...ahead, from: 'other' });
  await rig.greet({ epochs: [epoch('a'), epoch('b')] });
  await rig.greet(ahead);
  expect(raised()).toEqual([
    [station, 'acked-ahead'],
    ['other', 'acked-ahead'],
    [station, 'duplicate-identity'],
  ]);
  await rig.clock.advance(59_999);
  await rig.greet(ahead);
  expect(raised()).toHaveLength(3);
  await rig.clock.advance(1);
  await rig.greet({ epochs: [epoch('b', 5, 5)] });
  expect(raised()).toHaveLength(4);
  const [newest] = await rig.store.alarms();
  expect(newest).toMatchObject({ station, kind: 'acked-ahead', sinceMs: rig.clock.wallMs() });
});

describe('a message that is no message is refused, counted by its cause and logged once', () => {
  const bytes = (text: string) => Buffer.from(text);
  test.each<[cause: string, channel: 'events' | 'hello' | 'state' | 'presence' | 'replies', payload: Buffer]>([
    ['too-large', 'events', Buffer.alloc(64 * 1024 + 1, ' ')],
    ['utf8', 'hello', Buffer.from([0x7b, 0xff, 0x7d])],
    ['json', 'state', bytes('{"v":1,')],
    ['version', 'presence', bytes('{"v":99,"online":true,"nonce":"n"}')],
    ['schema', 'replies', bytes('{"v":1,"id":"c-1"}')],
    ['schema', 'events', bytes('{"v":1,"session":"s","epoch":"x","first":1,"events":[{}]}')],
  ])('%s of %s', async (cause, channel, payload) => {
    const rig = await openRig();
    for (let round = 0; round < 3; round++) rig.raw(channel, payload);
    await settle();
    expect(rig.answers).toEqual([]);
    expect(rig.refusals.counts()).toEqual({ [`${cause} ${channel} ${station}`]: 3 });
    expect(rig.logged('message refused')).toBe(1);
  });
});

test('poison is told of by its station, and acknowledged', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  rig.events(session, [{ kind: 'unheard-of' }, water(1)]);
  await settle();
  expect(rig.told('ack')).toMatchObject([{ upTo: 2 }]);
  expect(rig.ingest.counts).toMatchObject({ poison: 1, stored: 1 });
  expect(rig.refusals.counts()).toEqual({ [`poison ${station}`]: 1 });
});
