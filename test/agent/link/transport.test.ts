import { expect, test } from 'vitest';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import type { MessageSession, OpenSession, SessionOptions } from '../../../protocol/host/session.ts';
import { startAedes } from '../../support/aedes.ts';
import { type CloudEnd, startCloudEnd } from '../../support/cloud-end.ts';
import { waitFor } from '../../support/wait.ts';
import { startMs, visits } from '../outbox/rig.ts';
import { drained, type LinkOptions, type LinkRig, startLink, station } from './rig.ts';

type Tapped = LinkRig & { cloud: CloudEnd; options: SessionOptions; ended: string[]; queuedBytes: { now: number } };

/** A link over a real session that a test can look into, and speak through as a strange broker would. */
async function connect(linkOptions: LinkOptions = {}): Promise<Tapped> {
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, station);
  const ended: string[] = [];
  const queuedBytes = { now: 0 };
  const opened = Promise.withResolvers<SessionOptions>();
  const openSession: OpenSession = async (options) => {
    const session = await openMqttSession(options);
    opened.resolve(options);
    return tapped(session, ended, queuedBytes);
  };
  const rig = await startLink({ url, openSession, ...linkOptions });
  const options = await opened.promise;
  await cloud.nth('state', 1);
  return { ...rig, cloud, options, ended, queuedBytes };
}

function tapped(session: MessageSession, ended: string[], queuedBytes: { now: number }): MessageSession {
  return {
    closed: session.closed,
    publish: (message) => session.publish(message),
    queuedBytes: () => queuedBytes.now,
    close() {
      ended.push('close');
      return session.close();
    },
    abort() {
      ended.push('abort');
      session.abort();
    },
  };
}

const hear = ({ options }: Tapped, topic: string, body: object): void =>
  options.onMessage({ topic, payload: Buffer.from(JSON.stringify({ v: 1, ...body })), retained: false });

test('a goodbye is a close, which sends no will, and leaves no timer behind', async () => {
  const rig = await connect({ fill: (outbox) => outbox.append(visits(3), {}) });
  await drained(rig);
  await rig.link.close();
  expect(rig.ended).toEqual(['close']);
  expect(rig.clock.pending).toBe(0);
});

test.each([
  `stations/another/commands`,
  `stations/${station}/nonsense`,
  `stations/${station}/commands/more`,
  'commands',
])('what a broker sends on %s is no message of this station', async (topic) => {
  const rig = await connect();
  hear(rig, topic, { id: 'stray', expires: startMs + 1, name: 'report-now' });
  hear(rig, `stations/${station}/commands`, { id: 'own', expires: startMs + 1, name: 'report-now' });
  await rig.cloud.nth('replies', 1);
  expect(rig.ran).toEqual(['own']);
  expect(rig.lines.filter(({ level }) => level >= 40)).toEqual([]);
});

test('of a flood of commands a few wait, the others come again', async () => {
  const rig = await connect();
  for (let n = 1; n <= 40; n++)
    hear(rig, `stations/${station}/commands`, { id: `c${n}`, expires: startMs + 1, name: 'report-now' });
  await rig.cloud.nth('replies', 16);
  hear(rig, `stations/${station}/commands`, { id: 'last', expires: startMs + 1, name: 'report-now' });
  await waitFor('the last one', () => rig.ran.includes('last'));
  expect(rig.ran).toEqual([...Array.from({ length: 16 }, (_, index) => `c${index + 1}`), 'last']);
});

test('a network that takes nothing gets no more states on top', async () => {
  const rig = await connect();
  rig.queuedBytes.now = 600_000;
  await rig.clock.advance(60_000);
  rig.queuedBytes.now = 0;
  await rig.clock.advance(30_000);
  await rig.cloud.say('commands', { id: 'c1', expires: 1, name: 'report-now' });
  await rig.cloud.nth('replies', 1);
  expect(rig.cloud.of('state')).toHaveLength(2);
});

test('a broker that floods a station is left, and come back to', async () => {
  const rig = await connect();
  for (let n = 0; n < 10_100; n++)
    hear(rig, `stations/${station}/ack`, { session: 'x', epoch: 'f'.repeat(32), upTo: 1, now: 1 });
  await waitFor('the link to go down', () => rig.lines.find(({ msg }) => msg === 'link is down'));
  expect(rig.ended).toContain('abort');
  expect(rig.failures).toEqual([]);
});

test('a live state that cannot be made is reported, not thrown into a timer', async () => {
  const rig = await connect();
  await rig.outbox.close();
  const real = rig.outbox.positions;
  rig.outbox.positions = () => {
    throw new Error('the outbox is gone');
  };
  rig.link.stateChanged();
  await rig.clock.advance(1000);
  rig.outbox.positions = real;
  expect(rig.failures).toEqual([new Error('the outbox is gone')]);
});
