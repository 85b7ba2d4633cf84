import { expect, test } from 'vitest';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import { startAedes, startTcp } from '../../support/aedes.ts';
import { startCloudEnd } from '../../support/cloud-end.ts';
import { freePort, startMosquitto } from '../../support/mosquitto.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait.ts';
import { visits } from '../outbox/rig.ts';
import { drained, type LinkRig, linkConfig, startLink, station } from './rig.ts';

const downs = ({ lines }: Pick<LinkRig, 'lines'>) =>
  lines.filter(({ msg }) => msg === 'link is down').map(({ reason, retryMs }) => ({ reason, retryMs }));
const ups = ({ lines }: Pick<LinkRig, 'lines'>): number => lines.filter(({ msg }) => msg === 'link is up').length;
const nthDown = (rig: Pick<LinkRig, 'lines'>, n: number): Promise<{ reason: unknown; retryMs: unknown }> =>
  waitFor(`the link to go down, ${n}`, () => downs(rig)[n - 1]);
const nthUp = (rig: Pick<LinkRig, 'lines'>, n: number): Promise<boolean> =>
  waitFor(`the link to come up, ${n}`, () => ups(rig) >= n);

test('a broker that does not answer is asked after 1, 2, 4, … seconds, at most every two minutes', async () => {
  const rig = await startLink({ url: `mqtt://127.0.0.1:${await freePort()}`, random: () => 0.999 });
  const waits: number[] = [];
  for (let n = 1; n <= 10; n++) {
    const { reason, retryMs } = await nthDown(rig, n);
    expect(reason).toMatch(/ECONNREFUSED/);
    waits.push(Math.round(Number(retryMs) / 1000));
    await rig.clock.advance(Number(retryMs) - 1);
    expect(downs(rig)).toHaveLength(n);
    await rig.clock.advance(1);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120, 120]);
});

test('many stations that lost the same broker do not return together: each waits for a part of the time', async () => {
  const rig = await startLink({ url: `mqtt://127.0.0.1:${await freePort()}`, random: () => 0 });
  expect(await nthDown(rig, 1)).toMatchObject({ retryMs: 500 });
});

test('a connection that lasted starts the waits from the beginning, a short one does not', async () => {
  const broker = await startAedes();
  const rig = await startLink({ url: broker.url });
  const cut = async (afterMs: number, n: number): Promise<unknown> => {
    await nthUp(rig, n);
    await rig.clock.advance(afterMs);
    for (const socket of broker.sockets) socket.destroy();
    const { retryMs } = await nthDown(rig, n);
    await rig.clock.advance(Number(retryMs));
    return retryMs;
  };
  expect([await cut(29_000, 1), await cut(0, 2), await cut(29_000, 3), await cut(30_000, 4), await cut(0, 5)]).toEqual([
    500, 1000, 2000, 500, 1000,
  ]);
});

test('after an outage the newest state goes before the history of the time', async () => {
  const broker = await startAedes();
  const cloud = await startCloudEnd(broker.url, station);
  const proxy = await startTcpProxy(broker.port);
  const rig = await startLink({ url: `mqtt://127.0.0.1:${proxy.port}` });
  await cloud.nth('state', 1);
  proxy.cut();
  const { retryMs } = await nthDown(rig, 1);
  const before = cloud.heard.length;
  await rig.outbox.append(visits(500), {});
  await rig.clock.advance(Number(retryMs));
  await drained(rig);
  const after = cloud.heard.slice(before).filter(({ body }) => body['online'] !== false);
  expect(after.map(({ channel }) => channel)).toEqual(['presence', 'hello', 'state', 'events', 'events', 'events']);
  expect(after[2]?.body).toMatchObject({ seq: 500, nonce: after[0]?.body['nonce'] });
});

test('a broker that vanishes without a word is noticed by its silence, and what it never got is sent again', async () => {
  const broker = await startAedes();
  const cloud = await startCloudEnd(broker.url, station);
  const proxy = await startTcpProxy(broker.port);
  const rig = await startLink({ url: `mqtt://127.0.0.1:${proxy.port}`, keepaliveS: 1 });
  await cloud.nth('state', 1);
  proxy.freeze();
  const appended = await rig.outbox.append(visits(3), {});
  if (appended.ok) rig.link.appended(appended.epoch, appended.last);
  const { reason, retryMs } = await nthDown(rig, 1);
  expect(reason).toMatch(/keepalive/i);
  await rig.clock.advance(Number(retryMs));
  await drained(rig);
});

test.each([
  { mqttVersion: '3.1.1', reason: /^connection closed$/ },
  { mqttVersion: '5', reason: /^(session taken over|connection closed)$/ },
] as const)(
  'two boards with one card take the session from each other, ever less often (MQTT $mqttVersion)',
  async ({ mqttVersion, reason }) => {
    const { url } = await startMosquitto();
    const first = await startLink({ url, mqttVersion });
    await nthUp(first, 1);
    // The same card, and so the same client id.
    const clientId = `${station}-${first.outbox.instance.slice(0, 8)}`;
    const second = await startLink({
      url,
      mqttVersion,
      openSession: (options) => openMqttSession({ ...options, clientId }),
    });
    const waits: unknown[] = [];
    for (let n = 1; n <= 3; n++) {
      const down = await nthDown(first, n);
      expect(down.reason).toMatch(reason);
      waits.push(down.retryMs);
      await nthUp(second, n);
      await first.clock.advance(Number(down.retryMs));
      await nthUp(first, n + 1);
      await second.clock.advance(Number((await nthDown(second, n)).retryMs));
    }
    expect(waits).toEqual([500, 1000, 2000]);
  },
);

test('a broker that grants no subscription is left, and said', async () => {
  const broker = await startAedes({
    authorizeSubscribe: (_client, subscription, done) =>
      done(null, subscription.topic.endsWith('commands') ? null : subscription),
  });
  const rig = await startLink({ url: broker.url });
  expect(await nthDown(rig, 1)).toMatchObject({ reason: `subscription refused: stations/${station}/commands` });
  await waitFor('the connection to end', () => broker.sockets.size === 0);
});

test('a wrong password is said, without the password', async () => {
  const broker = await startAedes({
    authenticate: (_client, _username, _password, done) =>
      done(Object.assign(new Error('no'), { returnCode: 4 }), false),
  });
  const rig = await startLink({ url: broker.url });
  expect(await nthDown(rig, 1)).toMatchObject({ reason: expect.stringMatching(/not authorized|bad user ?name/i) });
  expect(JSON.stringify(rig.lines)).not.toContain(linkConfig.password);
});

test.each([
  { what: 'waits for the next attempt', url: async () => `mqtt://127.0.0.1:${await freePort()}`, ready: nthDown },
  { what: 'connects to a broker that takes the connection and says nothing', url: silentBroker, ready: () => {} },
])('a link that $what closes at once', async ({ url, ready }) => {
  const rig = await startLink({ url: await url() });
  await ready(rig, 1);
  await rig.link.close();
  expect(rig.clock.pending).toBe(0);
});

async function silentBroker(): Promise<string> {
  return (await startTcp(() => {})).url;
}

test('a goodbye that the broker does not take is given up after a second', async () => {
  const broker = await startAedes();
  const cloud = await startCloudEnd(broker.url, station);
  const proxy = await startTcpProxy(broker.port);
  const rig = await startLink({ url: `mqtt://127.0.0.1:${proxy.port}` });
  await cloud.nth('state', 1);
  proxy.freeze();
  let closed = false;
  const closing = rig.link.close().then(() => {
    closed = true;
  });
  await rig.clock.advance(999);
  expect(closed).toBe(false);
  await rig.clock.advance(1);
  await closing;
});

test('drain ends with what is true: all acknowledged, the time over, or never connected', async () => {
  const broker = await startAedes();
  const cloud = await startCloudEnd(broker.url, station, { answers: { events: false } });
  const rig = await startLink({ url: broker.url, fill: (outbox) => outbox.append(visits(3), {}) });
  const batch = await cloud.nth('events', 1);
  const late = rig.link.drain(1000);
  await rig.clock.advance(1000);
  expect(await late).toBe(false);
  const inTime = rig.link.drain(1000);
  await cloud.ack(batch, 3);
  await drained(rig);
  await rig.clock.advance(20);
  expect(await inTime).toBe(true);
  const offline = await startLink({
    url: `mqtt://127.0.0.1:${await freePort()}`,
    fill: (outbox) => outbox.append(visits(3), {}),
  });
  expect(await offline.link.drain(1000)).toBe(false);
});
