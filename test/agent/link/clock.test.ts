import { expect, test } from 'vitest';
import { startAedes } from '../../support/aedes.ts';
import { type CloudEnd, startCloudEnd } from '../../support/cloud-end.ts';
import { waitFor } from '../../support/wait.ts';
import { setClock, startMs, visits } from '../outbox/rig.ts';
import { drained, type LinkRig, startLink, station } from './rig.ts';

/** A station whose clock was never set, with three visits to tell. */
async function connect(answers: Partial<CloudEnd['answers']> = {}): Promise<LinkRig & { cloud: CloudEnd }> {
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, station, { answers, nowMs: () => startMs + 5000 });
  const rig = await startLink({ url, clockless: true, fill: (outbox) => outbox.append(visits(3), {}) });
  await cloud.nth('state', 1);
  return { ...rig, cloud };
}

test('the welcome sets the clock, and then the events go with times by it', async () => {
  const rig = await connect();
  await drained(rig);
  expect(rig.samples[0]).toEqual({ monoMs: 1_000_000, wallMs: startMs + 5000, uncertaintyMs: 0 });
  const [batch] = rig.cloud.of('events');
  expect(batch?.events[0]).toMatchObject({ at: startMs + 5000 - 1_000_000 + 1 });
});

test('half of the time between question and answer is what the cloud’s time is uncertain by', async () => {
  const rig = await connect({ hello: false });
  await rig.clock.advance(3000);
  await rig.cloud.welcome(await rig.cloud.nth('hello', 1));
  await waitFor('a sample', () => rig.samples[0]);
  expect(rig.samples[0]).toEqual({ monoMs: 1_003_000, wallMs: startMs + 5000 + 1500, uncertaintyMs: 1500 });
});

test('an ack tells the time too, as long ago as the batch left', async () => {
  const rig = await connect({ events: false });
  const batch = await rig.cloud.nth('events', 1);
  await rig.clock.advance(800);
  await rig.cloud.ack(batch, 3);
  await drained(rig);
  expect(rig.samples.at(-1)).toEqual({ monoMs: 1_000_800, wallMs: startMs + 5000 + 400, uncertaintyMs: 400 });
});

test('while the clock is not trusted events wait; once it is, they go without another welcome', async () => {
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, station, { answers: { hello: false } });
  const rig = await startLink({ url, clockless: true, fill: (outbox) => outbox.append(visits(3), {}) });
  await cloud.nth('hello', 1);
  rig.link.clockTrusted(false);
  await rig.clock.advance(5000);
  expect(cloud.of('events')).toEqual([]);
  await setClock(rig.outbox, startMs, 1_000_000);
  rig.link.clockTrusted(true);
  await cloud.welcome(cloud.of('hello')[0] ?? { nonce: '', epochs: [] });
  expect((await cloud.nth('events', 1)).events).toHaveLength(3);
});
