import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { waitFor } from './wait.ts';

/** MQTT 3.1.1 by hand, for what no client library would send. */

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};

export function frame(header: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = body.length; ; left >>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from([header, ...length]), body]);
}

export function connectFrame(username: string, password: string, { clean = true } = {}): Buffer {
  const header = Buffer.concat([text('MQTT'), Buffer.from([4, clean ? 0b1100_0010 : 0b1100_0000, 0, 0])]);
  return frame(0x10, header, text(`raw-${username}`), text(username), text(password));
}

export const subscribeFrame = (topic: string): Buffer =>
  frame(0x82, Buffer.from([0, 1]), text(topic), Buffer.from([1]));

export const publishFrame = (topic: string, payload: Buffer): Buffer => frame(0x30, text(topic), payload);

export type RawConnection = {
  socket: Socket;
  send: (bytes: Buffer) => void;
  /** The first bytes of the frames that came: a packet type each, as far as they are short. */
  received: () => Buffer;
  closed: () => Promise<true>;
  isClosed: () => boolean;
};

/** A TCP connection that the test speaks MQTT on itself; it is ended with the test. */
export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1' });
  let bytes = Buffer.alloc(0);
  let closed = false;
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  onTestFinished(() => void socket.destroy());
  await waitFor('a connection', () => closed || socket.readyState === 'open');
  return {
    socket,
    send: (sent) => void socket.write(sent),
    received: () => bytes,
    isClosed: () => closed,
    closed: () => waitFor('the end of the connection', () => closed),
  };
}

/** Logs in by hand and waits for the CONNACK. */
export async function rawLogin(
  port: number,
  username: string,
  password: string,
  options: { clean?: boolean } = {},
): Promise<RawConnection> {
  const connection = await rawConnection(port);
  connection.send(connectFrame(username, password, options));
  await waitFor('a CONNACK', () => connection.received().length >= 4);
  return connection;
}
