import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ConfigError } from '../../../protocol/host/config-error.ts';
import { publishFrame, rawLogin, subscribeFrame } from '../../support/raw-mqtt.ts';
import { waitFor } from '../../support/wait.ts';
import { ended, listen, openEmbedded, other, ours, password } from './embedded-rig.ts';

const topic = `stations/${ours}/events`;

test('a PUBACK waits for room, other stations do not', async () => {
  const rig = await openEmbedded();
  const room = Promise.withResolvers<void>();
  rig.room.next = () => (rig.taken.at(-1)?.station === ours ? room.promise : undefined);
  const held = await rig.connect();
  const free = await rig.connect({ username: other });
  let acknowledged = false;
  const publishing = held.publishAsync(topic, 'waits', { qos: 1 }).then(() => {
    acknowledged = true;
  });
  await waitFor('the message', () => rig.taken.length === 1);
  for (let count = 0; count < 20; count++) await free.publishAsync(`stations/${other}/events`, 'goes', { qos: 1 });
  expect(acknowledged).toBe(false);
  room.resolve();
  await publishing;
  expect(rig.taken).toHaveLength(21);
});

test('a station for which there is no room is not read beyond what its network brought already', async () => {
  const rig = await openEmbedded();
  const room = Promise.withResolvers<void>();
  rig.room.next = () => room.promise;
  const raw = await rawLogin(rig.port, ours, password);
  const message = publishFrame(topic, Buffer.alloc(60_000));
  const sent = 200;
  for (let count = 0; count < sent; count++) raw.send(message);
  await waitFor('the first', () => rig.taken.length > 0);
  for (let turn = 0; turn < 200; turn++) await setImmediate();
  expect(rig.taken.length).toBeLessThan(sent / 2);
  room.resolve();
  await waitFor('all', () => rig.taken.length === sent, 30_000);
});

test('a station that does not read is disconnected, and others feel nothing', async () => {
  const rig = await openEmbedded();
  const raw = await rawLogin(rig.port, ours, password);
  for (const channel of ['ack', 'welcome']) raw.send(subscribeFrame(`stations/${ours}/${channel}`));
  raw.send(publishFrame(`stations/${ours}/hello`, Buffer.from('hello')));
  await waitFor('the hello', () => rig.uplinks.length === 1);
  raw.socket.pause();
  const neighbour = await rig.connect({ username: other });
  const heard = await listen(neighbour, other);
  const welcome = Buffer.alloc(16 * 1024);
  let sentBytes = 0;
  while (rig.counts()['unread'] === undefined && sentBytes < 64 * 1024 * 1024) {
    rig.uplinks[0]?.reply('welcome', welcome);
    sentBytes += welcome.length;
    await setImmediate();
  }
  expect(rig.refused).toMatchObject([{ msg: 'station does not read: disconnected', station: ours }]);
  expect(Number(rig.refused[0]?.['unread'])).toBeLessThan(2 * 1024 * 1024);
  await waitFor('its end', () => rig.broker.connections() === 1);
  rig.broker.send(other, 'ack', Buffer.from('still here'));
  await waitFor('the neighbour’s message', () => heard.length === 1);
  await neighbour.publishAsync(`stations/${other}/events`, 'and speaks', { qos: 1 });
});

test('a revoked station loses every connection that it has, and no other station does', async () => {
  const rig = await openEmbedded();
  const revoked = [await rig.connect(), await rig.connect()];
  const neighbour = await rig.connect({ username: other });
  const gone = Promise.all(revoked.map(ended));
  await waitFor('all three', () => rig.broker.connections() === 3);
  rig.broker.disconnect(ours);
  rig.broker.disconnect('nobody');
  await gone;
  await neighbour.publishAsync(`stations/${other}/hello`, 'still here', { qos: 1 });
  expect(rig.broker.connections()).toBe(1);
});

test('a station that is revoked while it logs in does not stay', async () => {
  const rig = await openEmbedded();
  rig.lookup.after = () => {
    rig.known.delete(ours);
    rig.broker.disconnect(ours);
  };
  await ended(await rig.connect());
  expect(rig.broker.connections()).toBe(0);
});

test('one station cannot take the connections of all: its oldest gives way to the ninth', async () => {
  const rig = await openEmbedded();
  const neighbour = await rig.connect({ username: other });
  const first = await rig.connect();
  const gone = ended(first);
  for (let count = 0; count < 8; count++) await rig.connect();
  await gone;
  expect(rig.broker.connections()).toBe(9);
  expect(neighbour.connected).toBe(true);
});

test('a broker that is closed ends all connections and takes no more', async () => {
  const rig = await openEmbedded();
  const clients = [await rig.connect(), await rig.connect({ username: other })];
  const gone = Promise.all(clients.map(ended));
  expect(rig.broker.connected()).toBe(true);
  await rig.broker[Symbol.asyncDispose]();
  await gone;
  expect(rig.broker.connected()).toBe(false);
  await expect(rig.connect()).rejects.toThrow();
});

test('a port that is taken is a mistake of the configuration', async () => {
  const rig = await openEmbedded();
  const second = openEmbedded({ port: rig.port });
  await expect(second).rejects.toThrow(ConfigError);
  await expect(second).rejects.toMatchObject({
    issues: [`port ${rig.port} is taken: choose another with --mqtt-port`],
  });
});
