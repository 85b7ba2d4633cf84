import { expect, test } from 'vitest';
import { Sessions } from '../../../cloud/ingest/sessions.ts';
import { id32, water } from '../../support/station-data.ts';
import { openRig, settle } from './rig.ts';

test('a batch of an unknown session is not stored, and is answered with a reset of it', async () => {
  const rig = await openRig();
  rig.events('of-an-earlier-process', [water(1)]);
  await settle();
  expect(rig.answers).toEqual([{ channel: 'reset', message: { v: 1, session: 'of-an-earlier-process' } }]);
  expect(rig.ingest.counts).toMatchObject({ resets: 1, stored: 0 });
  expect(await rig.store.counts()).toMatchObject({ events: 0 });
});

test('a session is its station’s alone', async () => {
  const rig = await openRig({ stations: ['other'] });
  const session = await rig.greet({ from: 'other' });
  rig.events(session, [water(1)]);
  await settle();
  expect(rig.told('reset')).toEqual([{ v: 1, session }]);
});

test('a session goes on when its station says hello again, as another board of the same identity does', async () => {
  const rig = await openRig();
  const first = await rig.greet();
  const second = await rig.greet({ instance: id32('2'), epochs: [{ id: id32('b'), oldest: 1, last: 0, acked: 0 }] });
  rig.events(first, [water(1)]);
  rig.events(second, [water(1)], { epoch: id32('b') });
  await settle();
  expect(rig.told('ack').map(({ session, upTo }) => [session, upTo])).toEqual([
    [first, 1],
    [second, 1],
  ]);
});

test('sessions end when the station leaves the register', async () => {
  const rig = await openRig();
  const session = await rig.greet();
  rig.ingest.forget('tunxi-laojie');
  rig.events(session, [water(1)]);
  await settle();
  expect(rig.told('reset')).toHaveLength(1);
});

test('no station has more than eight sessions: the oldest goes first', () => {
  const sessions = new Sessions();
  for (let count = 1; count <= 9; count++) sessions.open('a', { id: `s-${count}`, instance: id32('1') });
  sessions.open('b', { id: 's-1', instance: id32('2') });
  const found = Array.from({ length: 9 }, (_, index) => sessions.find('a', `s-${index + 1}`) !== undefined);
  expect(found).toEqual([false, true, true, true, true, true, true, true, true]);
  expect(sessions.find('b', 's-1')).toEqual({ id: 's-1', instance: id32('2') });
  sessions.end('a');
  expect([sessions.find('a', 's-9'), sessions.find('b', 's-1')?.id]).toEqual([undefined, 's-1']);
});
