import { describe, expect, test } from 'vitest';
import { startAedes } from '../../support/aedes.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { waitFor } from '../../support/wait.ts';
import { connect } from './mqtt-client.ts';

const will = { topic: 'will', payload: Buffer.from('gone'), retain: false };

describe.each([
  { broker: 'aedes', mqttVersion: '3.1.1', start: () => startAedes() },
  { broker: 'mosquitto', mqttVersion: '3.1.1', start: () => startMosquitto() },
  { broker: 'mosquitto', mqttVersion: '5', start: () => startMosquitto() },
] as const)('a session by MQTT $mqttVersion to $broker', ({ mqttVersion, start }) => {
  test('carries bytes to those who subscribed, and to nobody else', async () => {
    const { url } = await start();
    const listener = await connect({ url, mqttVersion, subscriptions: ['a/b', 'c'] });
    const other = await connect({ url, mqttVersion, subscriptions: ['a'] });
    const speaker = await connect({ url, mqttVersion });
    speaker.say('a/b', 'é{"v":1}');
    speaker.say('c', '');
    await listener.hears('c ');
    speaker.say('a', 'end');
    await other.hears('a end');
    expect(listener.heard).toEqual(['a/b é{"v":1}', 'c ']);
    expect(other.heard).toEqual(['a end']);
  });

  test('tells a message that the broker kept from one that is new', async () => {
    const { url } = await start();
    const early = await connect({ url, mqttVersion, subscriptions: ['state'] });
    const speaker = await connect({ url, mqttVersion });
    speaker.say('state', '1', true);
    await early.hears('state 1');
    const late = await connect({ url, mqttVersion, subscriptions: ['state'] });
    await late.hears('state 1 retained');
  });

  test('that is aborted has its will sent', async () => {
    const { url } = await start();
    const listener = await connect({ url, mqttVersion, subscriptions: ['will'] });
    const session = await connect({ url, mqttVersion, will });
    session.abort();
    expect(await session.closed).toBe('connection closed');
    await listener.hears('will gone');
  });

  test('that is closed has not, and all that it published before arrives', async () => {
    const { url } = await start();
    const listener = await connect({ url, mqttVersion, subscriptions: ['will', 'said', 'end'] });
    const session = await connect({ url, mqttVersion, will });
    for (let n = 1; n <= 100; n++) session.say('said', String(n));
    await session.close();
    expect(await session.closed).toBe('connection closed');
    await listener.hears('said 100');
    listener.say('end', '');
    await listener.hears('end ');
    expect(listener.heard).toEqual([...Array.from({ length: 100 }, (_, n) => `said ${n + 1}`), 'end ']);
  });

  test('keeps nothing for later: what is published after its end is gone', async () => {
    const { url } = await start();
    const listener = await connect({ url, mqttVersion, subscriptions: ['said'] });
    const session = await connect({ url, mqttVersion, clientId: 'one' });
    session.abort();
    session.say('said', 'while it ended');
    await session.closed;
    session.say('said', 'after it ended');
    const again = await connect({ url, mqttVersion, clientId: 'one' });
    session.say('said', 'long after');
    again.say('said', 'anew');
    await listener.hears('said anew');
    expect(listener.heard).toEqual(['said anew']);
  });

  test('misses what was said while it was away, subscribed or not', async () => {
    const { url } = await start();
    const speaker = await connect({ url, mqttVersion });
    const before = await connect({ url, mqttVersion, clientId: 'one', subscriptions: ['said'] });
    await before.close();
    speaker.say('said', 'missed');
    const after = await connect({ url, mqttVersion, clientId: 'one', subscriptions: ['said'] });
    speaker.say('said', 'heard');
    await after.hears('said heard');
    expect(after.heard).toEqual(['said heard']);
  });

  test('that another one of its name replaces is over', async () => {
    const { url } = await start();
    const first = await connect({ url, mqttVersion, clientId: 'one' });
    await connect({ url, mqttVersion, clientId: 'one' });
    expect(await first.closed).toBe('connection closed');
  });

  test('is over with its broker', async () => {
    const { url, stop } = await start();
    const session = await connect({ url, mqttVersion });
    await stop();
    expect(await session.closed).toBe('connection closed');
    session.say('said', 'to nobody');
    session.abort();
    await session.close();
  });
});

test('tells how much was handed over and has not left yet', async () => {
  const { url, sockets } = await startAedes();
  const session = await connect({ url });
  expect(session.queuedBytes()).toBe(0);
  for (const socket of sockets) socket.pause();
  const chunk = 'x'.repeat(100_000);
  await waitFor('a full pipe', () => {
    session.say('a', chunk);
    return session.queuedBytes() > 100_000;
  });
  for (const socket of sockets) socket.resume();
  await waitFor('an empty pipe', () => session.queuedBytes() === 0);
});
