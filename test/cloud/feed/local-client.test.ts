import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { isLocalClient } from '../../../cloud/feed/local-client.ts';

function from(address: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  return Object.assign(new IncomingMessage(socket), { headers });
}

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.200.0.7', true],
  ['172.16.0.1', true],
  ['172.32.0.1', false],
  ['192.168.1.9', true],
  ['192.169.0.1', false],
  ['fd12::7', true],
  ['fe80::1', true],
  ['2001:db8::1', false],
  ['::ffff:8.8.8.8', false],
  ['203.0.113.9', false],
  [undefined, false],
])('a client at %s is local: %s', (address, local) => {
  expect(isLocalClient(from(address))).toBe(local);
});

test.each(['x-forwarded-for', 'forwarded'])('a proxy that says %s stands before everyone', (header) => {
  expect(isLocalClient(from('127.0.0.1', { [header]: '203.0.113.9' }))).toBe(false);
});
