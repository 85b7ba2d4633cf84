import { expect, test } from 'vitest';
import { water } from '../../support/station-data.ts';
import { Gate, openRig, settle } from './rig.ts';

const batch = (count: number) => Array.from({ length: count }, () => water(1));
/** More than the bound of these tests. */
const maxQueuedBytes = 1000;
const overTheBound = batch(10);

async function greetedRig(config: Parameters<typeof openRig>[0] = {}) {
  const commits = new Gate();
  const rig = await openRig({ wrap: commits.wrap, ...config, config: { maxQueuedBytes, ...config.config } });
  rig.hello();
  await settle();
  await commits.let();
  const session = rig.told('welcome')[0]?.session ?? '';
  return { rig, commits, session };
}

/** Whether a promise is done by now. */
async function isDone(room: Promise<void> | undefined): Promise<boolean> {
  let done = room === undefined;
  void room?.then(() => {
    done = true;
  });
  await settle();
  return done;
}

test('a sender goes on while there is room, and waits from where there is none until the commit', async () => {
  const { rig, commits, session } = await greetedRig();
  expect(rig.events(session, batch(1))).toBeUndefined();
  const room = rig.events(session, overTheBound, { first: 2 });
  expect(await isDone(room)).toBe(false);
  await commits.let();
  expect(await isDone(room)).toBe(true);
  expect(rig.told('ack').at(-1)).toMatchObject({ upTo: 11 });
});

test('every message waits while there is no room, whatever it is', async () => {
  const { rig, commits, session } = await greetedRig();
  const waiting = [rig.events(session, overTheBound), rig.say('presence', { online: true, nonce: 'n' })];
  expect(await Promise.all(waiting.map(isDone))).toEqual([false, false]);
  await commits.let();
  expect(await Promise.all(waiting.map(isDone))).toEqual([true, true]);
});

test('those who wait are let go by the commit that makes room, not by one that leaves too much', async () => {
  const { rig, commits, session } = await greetedRig({ config: { maxGroupItems: 1 } });
  const first = rig.events(session, overTheBound);
  const second = rig.events(session, overTheBound, { first: 11 });
  await settle();
  await commits.let();
  expect(rig.told('ack')).toMatchObject([{ upTo: 10 }]);
  expect(await isDone(first)).toBe(false);
  await commits.let();
  expect([await isDone(first), await isDone(second)]).toEqual([true, true]);
});

test('those who wait do not wait for the queue to be empty', async () => {
  const { rig, commits, session } = await greetedRig({ config: { maxGroupItems: 1 } });
  const room = rig.events(session, overTheBound);
  rig.events(session, batch(1), { first: 11 });
  await settle();
  await commits.let();
  expect(rig.ingest.queued).toBe(0);
  expect(rig.told('ack')).toMatchObject([{ upTo: 10 }]);
  expect(await isDone(room)).toBe(true);
  await commits.let();
});

test('what arrives while a transaction runs is the next one, of bounded size', async () => {
  const { rig, commits, session } = await greetedRig({ config: { maxGroupItems: 3, maxQueuedBytes: 1_000_000 } });
  rig.events(session, batch(1));
  await settle();
  for (let first = 2; first <= 6; first++) rig.events(session, batch(1), { first });
  expect(rig.ingest.queued).toBe(5);
  await commits.let(3);
  expect(commits.groups).toEqual([1, 1, 3, 2]);
  expect(rig.told('ack').map(({ upTo }) => upTo)).toEqual([1, 4, 6]);
  expect(rig.ingest.queued).toBe(0);
});

test('a sender that cannot be held back is not heard beyond four times the bound, and is later', async () => {
  const { rig, commits, session } = await greetedRig({ config: { maxGroupItems: 1000 } });
  for (let first = 1; first <= 1000; first += 10) rig.events(session, overTheBound, { first });
  const { queued } = rig.ingest;
  const bytesEach = 1300;
  expect(queued * bytesEach).toBeGreaterThan(3 * maxQueuedBytes);
  expect(queued * bytesEach).toBeLessThan(8 * maxQueuedBytes);
  await settle();
  await commits.let();
  const upTo = queued * 10;
  expect(rig.told('ack')).toMatchObject([{ upTo }]);
  rig.events(session, overTheBound, { first: upTo + 1 });
  await settle();
  await commits.let();
  expect(rig.told('ack').at(-1)).toMatchObject({ upTo: upTo + 10 });
});

test('a message that is refused takes no room', async () => {
  const { rig, session } = await greetedRig();
  expect(rig.raw('events', Buffer.alloc(70_000, 'x'))).toBeUndefined();
  expect(rig.events(`${session}-of-another-process`, overTheBound)).toBeUndefined();
  expect(rig.ingest.queued).toBe(0);
});
