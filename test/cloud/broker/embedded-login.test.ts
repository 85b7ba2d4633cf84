import { describe, expect, test } from 'vitest';
import { connectFrame, rawConnection, rawLogin, subscribeFrame } from '../../support/raw-mqtt.ts';
import { waitFor } from '../../support/wait.ts';
import { type ClientOptions, ended, openEmbedded, other, ours, password } from './embedded-rig.ts';

const badLogin = /Bad username or password/;

describe('a login is refused', () => {
  test.each<[what: string, options: ClientOptions, cause: string]>([
    ['without a name', { username: null, password: null }, 'anonymous'],
    ['with a wrong password', { password: 'wrong' }, 'wrong password'],
    ['with an empty password', { password: '' }, 'wrong password'],
    ['without a password', { password: null }, 'wrong password'],
    ['of a station that the register does not have', { username: 'nobody' }, 'unknown station'],
    ['of a name that no station may have', { username: '../etc/passwd' }, 'unknown station'],
    ['of a very long name', { username: 'x'.repeat(5000) }, 'unknown station'],
  ])('%s', async (_what, options, cause) => {
    const rig = await openEmbedded();
    const will = { topic: `stations/${ours}/presence`, payload: Buffer.from('will'), qos: 1 as const, retain: true };
    await expect(rig.connect({ ...options, will })).rejects.toThrow(badLogin);
    expect(rig.counts()).toEqual({ [`login: ${cause}`]: 1 });
    expect(rig.refused).toMatchObject([{ msg: 'login refused', cause }]);
    expect(String(rig.refused[0]?.['username'] ?? '').length).toBeLessThanOrEqual(64);
    expect({ taken: rig.taken, connections: rig.broker.connections() }).toEqual({ taken: [], connections: 0 });
  });

  test('of a station that was removed, from then on', async () => {
    const rig = await openEmbedded();
    await rig.connect();
    rig.known.delete(ours);
    await expect(rig.connect()).rejects.toThrow(badLogin);
  });
});

test('an intruder with a thousand names is one cause, and does not hide what others do', async () => {
  const rig = await openEmbedded({ maxConnections: 5000 });
  for (let round = 0; round < 20; round++) {
    const logins = Array.from({ length: 50 }, (_, index) =>
      rawConnection(rig.port).then((raw) => {
        raw.send(connectFrame(`name-${round}-${index}`, 'x'));
        return raw.closed();
      }),
    );
    await Promise.all(logins);
  }
  expect(rig.refused).toHaveLength(1);
  await expect(rig.connect({ password: 'wrong' })).rejects.toThrow(badLogin);
  const client = await rig.connect();
  client.publish('stations/other/state', 'x');
  await ended(client);
  expect(rig.refused.map((line) => line['cause'] ?? line['action'])).toEqual([
    'unknown station',
    'wrong password',
    'publish',
  ]);
  expect(rig.counts()).toEqual({ 'login: unknown station': 1000, 'login: wrong password': 1, [`publish ${ours}`]: 1 });
  await rig.clock.advance(60_000);
  await expect(rig.connect({ username: 'nobody' })).rejects.toThrow(badLogin);
  expect(rig.refused.at(-1)).toMatchObject({ cause: 'unknown station', count: 1000 });
});

describe('a connection is ended', () => {
  const fast = { connectTimeoutMs: 150 };

  test.each<[what: string, sent: Buffer]>([
    ['that says nothing', Buffer.alloc(0)],
    ['that never finishes its login', connectFrame(ours, password).subarray(0, 12)],
  ])('%s, when the time for a login is over', async (_what, sent) => {
    const rig = await openEmbedded(fast);
    const raw = await rawConnection(rig.port);
    raw.send(sent);
    await raw.closed();
    expect(rig.taken).toEqual([]);
  });

  test('but not one that has logged in', async () => {
    const rig = await openEmbedded(fast);
    const raw = await rawLogin(rig.port, ours, password);
    const slow = await rawConnection(rig.port);
    await slow.closed();
    expect(raw.isClosed()).toBe(false);
  });

  test.each<[what: string, sent: Buffer]>([
    ['begins with another packet than a login', subscribeFrame(`stations/${ours}/ack`)],
    ['is no MQTT', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['logs in a second time', Buffer.concat([connectFrame(ours, password), connectFrame(other, password)])],
  ])('that %s', async (_what, sent) => {
    const rig = await openEmbedded();
    const raw = await rawConnection(rig.port);
    raw.send(sent);
    await raw.closed();
  });

  test('that sends more than a login needs before it logged in', async () => {
    const rig = await openEmbedded();
    const raw = await rawConnection(rig.port);
    const login = connectFrame(ours, 'x'.repeat(30_000));
    raw.send(login.subarray(0, 20_000));
    await raw.closed();
    expect(rig.counts()).toEqual({ 'flood more than 16384 bytes before the login': 1 });
  });

  test('that announces a frame above the bound after it logged in', async () => {
    const rig = await openEmbedded();
    const raw = await rawLogin(rig.port, ours, password);
    raw.send(Buffer.from([0x30, 0x80, 0x80, 0x10]));
    await raw.closed();
    expect(rig.counts()).toEqual({ 'flood a frame of more than 131072 bytes': 1 });
  });
});

test('there are no more connections than the bound; one that leaves makes room', async () => {
  const rig = await openEmbedded({ maxConnections: 2 });
  const client = await rig.connect();
  const raw = await rawConnection(rig.port);
  const third = await rawConnection(rig.port);
  await third.closed();
  expect(rig.counts()).toEqual({ 'too many connections': 1 });
  expect([client.connected, raw.isClosed()]).toEqual([true, false]);
  raw.socket.destroy();
  const late = await waitFor('room for another', () => rig.connect({ username: other }).catch(() => null));
  expect(late.connected).toBe(true);
});

describe('a client id takes over', () => {
  test('the connection of its own station', async () => {
    const rig = await openEmbedded();
    const first = await rig.connect({ clientId: 'same' });
    const gone = ended(first);
    const second = await rig.connect({ clientId: 'same' });
    await gone;
    expect(second.connected).toBe(true);
    expect(rig.broker.connections()).toBe(1);
  });

  test('no other station’s', async () => {
    const rig = await openEmbedded();
    const first = await rig.connect({ clientId: 'same' });
    await rig.connect({ clientId: 'same', username: other });
    await first.publishAsync(`stations/${ours}/hello`, 'still here', { qos: 1 });
    expect(rig.broker.connections()).toBe(2);
  });

  test('none where it is empty', async () => {
    const rig = await openEmbedded();
    const clients = [await rig.connect({ clientId: '' }), await rig.connect({ clientId: '' })];
    for (const client of clients) await client.publishAsync(`stations/${ours}/hello`, 'here', { qos: 1 });
    expect(rig.broker.connections()).toBe(2);
  });
});
