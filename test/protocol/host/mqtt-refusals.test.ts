import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LinkError } from '../../../protocol/host/session.ts';
import { startAedes, startTcp } from '../../support/aedes.ts';
import { freePort, startMosquitto } from '../../support/mosquitto.ts';
import { testTls } from '../../support/tls.ts';
import { waitFor } from '../../support/wait.ts';
import { connect } from './mqtt-client.ts';

async function refusal(options: Parameters<typeof connect>[0]): Promise<string> {
  try {
    await connect(options);
  } catch (error) {
    if (error instanceof LinkError) return error.message;
    throw error;
  }
  return 'connected';
}

/** A broker that answers what comes, one after the other, with these bytes. */
function answering(...answers: ((asked: Buffer) => number[])[]): Promise<{ url: string; sockets: Set<Socket> }> {
  return startTcp((socket) => {
    const left = [...answers];
    socket.on('data', (asked: Buffer) => {
      const answer = left.shift();
      if (answer) socket.write(Buffer.from(answer(asked)));
    });
  });
}
const loginTaken = () => [0x20, 2, 0, 0];
const loginTakenBy5 = () => [0x20, 3, 0, 0, 0];

describe('no session, and LinkError says why, where', () => {
  test('nobody listens', async () => {
    const port = await freePort();
    expect(await refusal({ url: `mqtt://127.0.0.1:${port}` })).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(await refusal({ url: `mqtt://localhost:${port}` })).toMatch(/ECONNREFUSED/);
  });

  test('the peer says nothing', async () => {
    const { url, sockets } = await startTcp((socket) => void socket.resume());
    expect(await refusal({ url, connectTimeoutMs: 50 })).toBe('connack timeout');
    await waitFor('its connection to end', () => sockets.size === 0);
  });

  test('the peer hangs up', async () => {
    const { url } = await startTcp((socket) => socket.destroy());
    expect(await refusal({ url })).toBe('connection closed');
  });

  test('the peer speaks something else', async () => {
    const { url } = await startTcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await refusal({ url })).toMatch(/header flag/);
  });

  test.each([
    { code: 1, reason: 'Unacceptable protocol version' },
    { code: 2, reason: 'Identifier rejected' },
    { code: 3, reason: 'Server unavailable' },
    { code: 4, reason: 'Bad username or password' },
    { code: 5, reason: 'Not authorized' },
  ])('the login is answered with code $code', async ({ code, reason }) => {
    const { url } = await answering(() => [0x20, 2, 0, code]);
    expect(await refusal({ url })).toBe(`Connection refused: ${reason}`);
  });

  test('a subscription is refused: its topic is named, and the connection ends', async () => {
    const { url, sockets } = await startAedes({
      authorizeSubscribe: (_client, subscription, done) =>
        done(null, subscription.topic.startsWith('no') ? null : subscription),
    });
    expect(await refusal({ url, subscriptions: ['yes', 'no/1', 'also', 'no/2'] })).toBe(
      'subscription refused: no/1, no/2',
    );
    await waitFor('its connection to end', () => sockets.size === 0);
  });

  test('a subscription is refused by MQTT 5', async () => {
    const notAuthorized = 0x87;
    const { url } = await answering(loginTakenBy5, (asked) => [
      ...[0x90, 5, asked[2] ?? 0, asked[3] ?? 0, 0],
      ...[1, notAuthorized],
    ]);
    expect(await refusal({ url, mqttVersion: '5', subscriptions: ['yes', 'no'] })).toBe('subscription refused: no');
  });

  test('the connection is lost before the subscription is answered', async () => {
    const { url, sockets } = await answering(loginTaken, () => {
      for (const socket of sockets) socket.destroy();
      return [];
    });
    expect(await refusal({ url, subscriptions: ['a'] })).toBe('subscription failed: Connection closed');
  });

  test.each(['3.1.1', '5'] as const)('mosquitto knows another password (MQTT %s)', async (mqttVersion) => {
    const { url } = await startMosquitto({
      password: (directory) => {
        const file = join(directory, 'passwords');
        writeFileSync(file, 'me:right\n');
        spawnSync('mosquitto_passwd', ['-U', file]);
        return ['allow_anonymous false', `password_file ${file}`];
      },
    });
    const login = { url, mqttVersion, username: 'me' };
    expect(await refusal({ ...login, password: 'wrong' })).toBe('Connection refused: Not authorized');
    expect(await refusal({ url, mqttVersion })).toBe('Connection refused: Not authorized');
    expect(await refusal({ ...login, password: 'right' })).toBe('connected');
  });

  test('the certificate is not of an authority that is trusted', async () => {
    const { url } = await startAedes({ tls: testTls });
    expect(await refusal({ url })).toMatch(/self-signed certificate/);
    expect(await refusal({ url, ca: testTls.cert })).toBe('connected');
  });
});

test('closing ends where the broker goes away without an acknowledgement', async () => {
  const { url, sockets } = await answering(loginTaken);
  const session = await connect({ url });
  session.say('a', 'never acknowledged');
  const closing = session.close();
  for (const socket of sockets) socket.destroy();
  await closing;
  expect(await session.closed).toBe('connection closed');
});

test('a broker that is silent for longer than the keepalive allows is gone', async () => {
  const { url } = await answering(loginTaken);
  const session = await connect({ url, keepaliveS: 1 });
  expect(await session.closed).toBe('Keepalive timeout');
});

test.each([
  { code: 0x8e, reason: 'session taken over' },
  { code: 0x8b, reason: 'disconnected by the broker (139)' },
])('MQTT 5 says why it ends: $reason', async ({ code, reason }) => {
  const { url, sockets } = await answering(loginTakenBy5);
  const session = await connect({ url, mqttVersion: '5' });
  for (const socket of sockets) socket.end(Buffer.from([0xe0, 2, code, 0]));
  expect(await session.closed).toBe(reason);
});
