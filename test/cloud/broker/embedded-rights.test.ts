import { describe, expect, test } from 'vitest';
import { upChannels } from '../../../protocol/topics.ts';
import { rawLogin, subscribeFrame } from '../../support/raw-mqtt.ts';
import { waitFor } from '../../support/wait.ts';
import { connect, ended, listen, openEmbedded, other, ours, password, type Taken } from './embedded-rig.ts';

const from = (channel: string, text: string, station = ours): Taken => ({ station, channel, text, retained: false });

test.each(upChannels)('a station says its own %s', async (channel) => {
  const rig = await openEmbedded();
  const client = await rig.connect();
  await client.publishAsync(`stations/${ours}/${channel}`, 'text', { qos: 1, retain: true });
  expect(rig.taken).toEqual([from(channel, 'text')]);
});

test.each([0, 1, 2] as const)('what is sent with QoS %s is taken once, in its order', async (qos) => {
  const rig = await openEmbedded();
  const client = await rig.connect();
  for (const text of ['one', 'two', 'three']) client.publish(`stations/${ours}/events`, text, { qos });
  await waitFor('all', () => rig.taken.length === 3);
  await client.publishAsync(`stations/${ours}/hello`, 'last', { qos: 1 });
  expect(rig.taken).toEqual([
    from('events', 'one'),
    from('events', 'two'),
    from('events', 'three'),
    from('hello', 'last'),
  ]);
});

describe('a station that says what it may not is disconnected, and nothing of it is taken', () => {
  test.each([
    [`stations/${other}/events`],
    [`stations/${ours}/welcome`],
    [`stations/${ours}/commands`],
    [`stations/${ours}/events/more`],
    [`stations/${ours}`],
    ['stations//events'],
    ['$SYS/yizhan/heartbeat'],
    ['elsewhere'],
    ['a/b/c/d/e/f/g/h'],
  ])('%s', async (topic) => {
    const rig = await openEmbedded();
    const client = await rig.connect();
    client.publish(topic, 'text', { qos: 1 });
    await ended(client);
    expect(rig.taken).toEqual([]);
    expect(rig.broker.connections()).toBe(0);
  });

  test('and is told of once, with the beginning of what it said', async () => {
    const rig = await openEmbedded();
    for (let round = 0; round < 3; round++) {
      const client = await rig.connect();
      client.publish(`stations/${other}/${'x'.repeat(500)}`, 'text');
      await ended(client);
    }
    expect(rig.counts()).toEqual({ [`publish ${ours}`]: 3 });
    expect(rig.refused).toMatchObject([{ station: ours, action: 'publish' }]);
    expect(String(rig.refused[0]?.['topic'])).toHaveLength(100);
  });
});

describe('a station cannot listen to', () => {
  test.each([
    [`stations/${other}/ack`],
    ['stations/+/ack'],
    [`stations/${ours}/+`],
    [`stations/${ours}/#`],
    ['#'],
    ['+/+/+'],
    ['$SYS/#'],
    [`stations/${ours}/state`],
    ['$share/group/ack'],
  ])('%s', async (topic) => {
    const rig = await openEmbedded();
    const client = await rig.connect();
    client.subscribe(topic, { qos: 1 });
    await ended(client);
    expect(rig.counts()).toEqual({ [`subscribe ${ours}`]: 1 });
    expect(rig.refused).toMatchObject([{ msg: 'not allowed to this station', topic }]);
  });
});

test('a station hears what is sent to it, on each of its connections, and no other does', async () => {
  const rig = await openEmbedded();
  const heard = await Promise.all(
    [ours, ours, other].map(async (station) => listen(await rig.connect({ username: station }), station)),
  );
  rig.broker.send(ours, 'commands', Buffer.from('to ours'));
  rig.broker.send('nobody', 'commands', Buffer.from('to nobody'));
  rig.broker.send(other, 'commands', Buffer.from('to other'));
  await waitFor('all', () => heard.every((of) => of.length > 0));
  const command = (text: string) => [{ channel: 'commands', text }];
  expect(heard).toEqual([command('to ours'), command('to ours'), command('to other')]);
});

test('an answer goes to the connection that asked', async () => {
  const rig = await openEmbedded();
  const asking = await rig.connect();
  const heard = [await listen(asking, ours), await listen(await rig.connect(), ours)];
  await asking.publishAsync(`stations/${ours}/hello`, 'who is there?', { qos: 1 });
  rig.uplinks[0]?.reply('welcome', Buffer.from('you'));
  rig.broker.send(ours, 'ack', Buffer.from('all'));
  await waitFor('both', () => heard.every((of) => of.some(({ channel }) => channel === 'ack')));
  expect(heard.map((of) => of.map(({ text }) => text))).toEqual([['you', 'all'], ['all']]);
});

test('an answer to a connection that is gone goes nowhere', async () => {
  const rig = await openEmbedded();
  const client = await rig.connect();
  await client.publishAsync(`stations/${ours}/hello`, 'x', { qos: 1 });
  await client.endAsync(true);
  await waitFor('its end', () => rig.broker.connections() === 0);
  expect(() => rig.uplinks[0]?.reply('welcome', Buffer.from('you'))).not.toThrow();
});

test('nothing is kept for a station that is away: no message', async () => {
  const rig = await openEmbedded();
  const kept = { clean: false, clientId: 'kept' };
  const first = await rig.connect(kept);
  await listen(first, ours);
  await first.endAsync();
  await waitFor('its end', () => rig.broker.connections() === 0);
  rig.broker.send(ours, 'commands', Buffer.from('while away'));
  const heard = await listen(await rig.connect(kept), ours);
  rig.broker.send(ours, 'commands', Buffer.from('now'));
  await waitFor('a message', () => heard.length > 0);
  expect(heard).toEqual([{ channel: 'commands', text: 'now' }]);
});

test('nothing is kept for a station that is away: no session', async () => {
  const rig = await openEmbedded();
  for (let round = 0; round < 2; round++) {
    const raw = await rawLogin(rig.port, ours, password, { clean: false });
    // CONNACK, without the flag that a session is present.
    expect(raw.received().subarray(0, 4)).toEqual(Buffer.from([0x20, 2, 0, 0]));
    raw.send(subscribeFrame(`stations/${ours}/ack`));
    await waitFor('a SUBACK', () => raw.received().length > 4);
    raw.socket.destroy();
    await waitFor('its end', () => rig.broker.connections() === 0);
  }
});

describe('a will', () => {
  const will = (topic: string) => ({ will: { topic, payload: Buffer.from('will'), qos: 1 as const, retain: true } });

  test('is said when the connection breaks', async () => {
    const rig = await openEmbedded();
    const client = await rig.connect(will(`stations/${ours}/presence`));
    client.stream.destroy();
    await waitFor('the will', () => rig.taken.length > 0);
    expect(rig.taken).toEqual([from('presence', 'will')]);
  });

  test('is not said after a goodbye', async () => {
    const rig = await openEmbedded();
    const client = await rig.connect(will(`stations/${ours}/presence`));
    await client.endAsync();
    await waitFor('its end', () => rig.broker.connections() === 0);
    await (await rig.connect()).publishAsync(`stations/${ours}/hello`, 'later', { qos: 1 });
    expect(rig.taken).toEqual([from('hello', 'later')]);
  });

  test.each([[`stations/${other}/presence`], [`stations/${ours}/commands`], ['stations/+/presence'], ['elsewhere']])(
    'to %s is not said, and told of',
    async (topic) => {
      const rig = await openEmbedded();
      const client = await rig.connect(will(topic));
      const watched = await listen(await rig.connect({ username: other }), other);
      client.stream.destroy();
      await waitFor('the refusal', () => rig.counts()[`publish ${ours}`] === 1);
      expect({ taken: rig.taken, watched }).toEqual({ taken: [], watched: [] });
    },
  );
});

test('a client of MQTT 5 is told that this broker does not speak it', async () => {
  const rig = await openEmbedded();
  await expect(connect(`mqtt://127.0.0.1:${rig.port}`, { protocolVersion: 5 })).rejects.toThrow();
  expect(rig.broker.connections()).toBe(0);
});
