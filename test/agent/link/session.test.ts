import { expect, test } from 'vitest';
import { startAedes } from '../../support/aedes.ts';
import { type CloudEnd, startCloudEnd } from '../../support/cloud-end.ts';
import { waitFor } from '../../support/wait.ts';
import { startMs, visit, visits } from '../outbox/rig.ts';
import { drained, type LinkOptions, type LinkRig, startLink, station } from './rig.ts';

/** A link and a cloud by hand, over a real broker. */
async function connect(
  options: LinkOptions & { answers?: Partial<CloudEnd['answers']> } = {},
): Promise<LinkRig & { cloud: CloudEnd }> {
  const { answers = {}, ...linkOptions } = options;
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, station, { answers, nowMs: () => startMs });
  const rig = await startLink({ url, ...linkOptions });
  await cloud.nth('state', 1);
  return { ...rig, cloud };
}

const say = async ({ outbox, link }: LinkRig, monoMs = 1): Promise<void> => {
  const appended = await outbox.append([visit(monoMs)], {});
  if (appended.ok) link.appended(appended.epoch, appended.last);
};

/** Everything said so far has arrived, and what it brought about has been done. */
const settled = async ({ cloud, clock }: LinkRig & { cloud: CloudEnd }): Promise<void> => {
  const before = cloud.of('replies').length;
  await cloud.say('commands', { id: `settle-${before}`, expires: 1, name: 'report-now' });
  await cloud.nth('replies', before + 1);
  await clock.advance(0);
};

test('nothing is sent before a welcome, and without one the hello is repeated with a fresh nonce', async () => {
  const rig = await connect({ answers: { hello: false }, fill: (outbox) => outbox.append(visits(3), {}) });
  const { cloud, clock } = rig;
  const [first] = cloud.of('hello');
  await clock.advance(19_999);
  await settled(rig);
  expect(cloud.of('hello')).toHaveLength(1);
  await clock.advance(1);
  await cloud.nth('hello', 2);
  await clock.advance(20_000);
  const third = await cloud.nth('hello', 3);
  expect(new Set(cloud.of('hello').map(({ nonce }) => nonce)).size).toBe(3);
  // The welcome for an earlier nonce comes too late: it is no answer to the newest.
  await cloud.welcome({ nonce: first?.nonce ?? '', epochs: third.epochs });
  await settled(rig);
  expect(cloud.of('events')).toEqual([]);
  await cloud.welcome(third);
  await drained(rig);
});

test('a welcome is taken once: a repeated one does not begin another session', async () => {
  const rig = await connect({ answers: { events: false }, fill: (outbox) => outbox.append(visits(3), {}) });
  const { cloud } = rig;
  await cloud.nth('events', 1);
  cloud.session = 'session-2';
  await cloud.welcome(cloud.of('hello')[0] ?? { nonce: '', epochs: [] });
  await settled(rig);
  await say(rig);
  expect(await cloud.nth('events', 2)).toMatchObject({ session: 'session-1', first: 4 });
});

test('an ack of another session, one that does not advance, or of an unknown epoch changes and sends nothing', async () => {
  const rig = await connect({ answers: { events: false }, fill: (outbox) => outbox.append(visits(3), {}) });
  const { cloud, outbox } = rig;
  const batch = await cloud.nth('events', 1);
  await cloud.ack({ ...batch, session: 'session-0' }, 3);
  await cloud.ack(batch, 0);
  await cloud.ack({ ...batch, epoch: 'f'.repeat(32) }, 3);
  await settled(rig);
  expect(outbox.positions()[0]).toMatchObject({ acked: 0 });
  await cloud.ack(batch, 2);
  await waitFor('the ack', () => outbox.positions()[0]?.acked === 2);
  await settled(rig);
  expect(cloud.of('events')).toHaveLength(1);
});

test('at most a window of batches is under way; an ack that advances sends the next', async () => {
  const rig = await connect({
    answers: { events: false },
    windowBatches: 3,
    fill: (outbox) => outbox.append(visits(1000), {}),
  });
  const { cloud } = rig;
  const third = await cloud.nth('events', 3);
  await settled(rig);
  expect(cloud.of('events').map(({ first }) => first)).toEqual([1, 201, 401]);
  await cloud.ack(third, 200);
  expect(await cloud.nth('events', 4)).toMatchObject({ first: 601 });
  await settled(rig);
  expect(cloud.of('events')).toHaveLength(4);
});

test('a batch that nobody acknowledges is sent again, byte by byte, with all that followed it', async () => {
  const rig = await connect({ answers: { events: false }, fill: (outbox) => outbox.append(visits(250), {}) });
  const { cloud, clock } = rig;
  await cloud.nth('events', 2);
  await clock.advance(19_999);
  await settled(rig);
  expect(cloud.of('events')).toHaveLength(2);
  await clock.advance(1);
  await cloud.nth('events', 4);
  const [first, second, third, fourth] = cloud.of('events');
  expect([third, fourth]).toEqual([first, second]);
  await clock.advance(20_000);
  await cloud.nth('events', 6);
});

test('a new event goes at once, alone', async () => {
  const rig = await connect();
  await rig.cloud.nth('hello', 1);
  await settled(rig);
  await say(rig, 5);
  const { first, events } = await rig.cloud.nth('events', 1);
  expect({ first, events }).toEqual({ first: 1, events: [expect.objectContaining({ at: startMs + 5 })] });
});

test('a cloud that lost its sessions says reset, and the same events go in a new one', async () => {
  const rig = await connect({ answers: { events: false }, fill: (outbox) => outbox.append(visits(3), {}) });
  const { cloud } = rig;
  await cloud.nth('events', 1);
  cloud.session = 'session-2';
  await cloud.say('reset', { session: 'session-0' });
  await settled(rig);
  expect(cloud.of('hello')).toHaveLength(1);
  await cloud.say('reset', { session: 'session-1' });
  const [first, second] = [cloud.of('hello')[0], await cloud.nth('hello', 2)];
  expect(second.nonce).not.toBe(first?.nonce);
  expect(await cloud.nth('events', 2)).toMatchObject({ session: 'session-2', first: 1 });
  // Presence and will keep the nonce of their connection.
  expect(cloud.of('presence')).toEqual([{ v: 1, online: true, nonce: first?.nonce }]);
});

test('a station with nothing to say asks every five minutes whether the cloud still has what it had', async () => {
  const rig = await connect({ fill: (outbox) => outbox.append(visits(3), {}) });
  const { cloud, clock, outbox } = rig;
  await drained(rig);
  await settled(rig);
  cloud.upTo.set(outbox.currentEpoch(), 1);
  await clock.advance(300_000);
  expect(await cloud.nth('events', 2)).toMatchObject({ first: 2 });
  await drained(rig);
  expect(rig.alarms).toEqual([{ type: 'alarm', alarm: 'rewound', epoch: outbox.currentEpoch(), acked: 3, upTo: 1 }]);
});

test('a cloud that has more than the station wrote: nothing is purged, a new epoch begins, an alarm tells', async () => {
  const rig = await connect({
    answers: { hello: false },
    fill: (outbox) => outbox.append(visits(3), {}),
    keepAckedMs: 0,
  });
  const { cloud, outbox } = rig;
  const hello = await cloud.nth('hello', 1);
  const before = outbox.currentEpoch();
  cloud.upTo.set(before, 9);
  await cloud.welcome(hello);
  await waitFor('a new epoch', () => outbox.currentEpoch() !== before);
  expect(rig.alarms).toEqual([{ type: 'alarm', alarm: 'ack-ahead-current', epoch: before, acked: 0, upTo: 9 }]);
  expect(outbox.positions()[0]).toMatchObject({ id: before, oldest: 1, last: 3 });
  await say(rig);
  expect(await cloud.nth('events', 1)).toMatchObject({ epoch: outbox.currentEpoch(), first: 1 });
});

test('what a welcome still covers after its time is purged, not earlier', async () => {
  const rig = await connect({ fill: (outbox) => outbox.append(visits(3), {}), keepAckedMs: 60_000 });
  const { cloud, clock, outbox, link } = rig;
  await drained(rig);
  const ask = async (): Promise<void> => {
    const hellos = cloud.of('hello').length;
    link.helloAgain();
    await cloud.nth('hello', hellos + 1);
    await settled(rig);
  };
  await ask();
  await clock.advance(59_999);
  await ask();
  expect(outbox.positions()[0]).toMatchObject({ oldest: 1 });
  await clock.advance(1);
  await ask();
  expect(outbox.positions()[0]).toMatchObject({ oldest: 4 });
  // The next hello says so.
  await ask();
  expect(cloud.of('hello').at(-1)?.epochs).toEqual([{ id: outbox.currentEpoch(), oldest: 4, last: 3, acked: 3 }]);
});

test.each([
  { what: 'no JSON', channel: 'welcome', bytes: '{"v":1,', cause: 'json' },
  { what: 'another version', channel: 'ack', bytes: '{"v":7}', cause: 'version' },
  { what: 'a missing field', channel: 'welcome', bytes: '{"v":1,"nonce":"x"}', cause: 'schema' },
  { what: 'not UTF-8', channel: 'commands', bytes: Buffer.from([0xff, 0xfe]), cause: 'utf8' },
  { what: 'far too long', channel: 'reset', bytes: 'x'.repeat(2000), cause: 'too-large' },
] as const)('a message that is $what is refused and logged; the station goes on', async ({ channel, bytes, cause }) => {
  const rig = await connect();
  await rig.cloud.sayBytes(channel, bytes);
  await waitFor('the refusal', () => rig.lines.find(({ msg }) => msg === 'message from the cloud refused'));
  expect(rig.lines.filter(({ msg }) => msg === 'message from the cloud refused')).toEqual([
    expect.objectContaining({ level: 40, topic: `stations/${station}/${channel}`, cause }),
  ]);
  await say(rig);
  await drained(rig);
  expect(rig.failures).toEqual([]);
});

test('the remotely managed configuration is of a later version: it is heard and not used', async () => {
  const rig = await connect();
  await rig.cloud.say('config', { hash: 'x', body: {} });
  await waitFor('the log', () => rig.lines.find(({ msg }) => msg === 'message is not used by this version'));
});

test('an outbox that fails under the link is reported, and the link sends nothing of it', async () => {
  const rig = await connect();
  await settled(rig);
  await rig.outbox.append([visit(1)], {});
  await rig.outbox.close();
  rig.link.appended(rig.outbox.currentEpoch(), 1);
  await waitFor('the failure', () => rig.failures[0]);
  expect(rig.failures).toEqual([expect.objectContaining({ name: 'StoreError' })]);
  expect(rig.cloud.of('events')).toEqual([]);
});
