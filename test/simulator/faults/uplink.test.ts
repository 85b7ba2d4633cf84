import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startUplink } from '../../../simulator/faults/uplink.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { waitFor } from '../../support/wait.ts';

async function listeningPort(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

/** Resolves with whether the connection lasts for as long as it takes to send and to be refused. */
function caller(url: string): { gone: () => boolean } {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return { gone: () => socket.destroyed };
}

test('fails by the clock, for as long as it was told, and ends with its timers', async () => {
  const clock = new FakeClock();
  const cuts = { cutUplinkEveryS: 60, cutUplinkForS: 10 };
  const uplink = await startUplink(`mqtt://127.0.0.1:${await listeningPort()}`, cuts, clock);
  const first = caller(uplink.url);
  await clock.advance(59_999);
  expect(first.gone()).toBe(false);
  await clock.advance(1);
  await waitFor('the cut', first.gone);
  await clock.advance(9999);
  await waitFor('the refusal', caller(uplink.url).gone);
  await clock.advance(1);
  const second = caller(uplink.url);
  await clock.advance(49_999);
  expect(second.gone()).toBe(false);
  await clock.advance(1);
  await waitFor('the next cut', second.gone);
  await uplink[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
});

test('an uplink that is never cut has no timer', async () => {
  const clock = new FakeClock();
  const cuts = { cutUplinkEveryS: 0, cutUplinkForS: 10 };
  await using uplink = await startUplink(`mqtt://127.0.0.1:${await listeningPort()}`, cuts, clock);
  expect({ url: uplink.url, pending: clock.pending }).toEqual({
    url: expect.stringMatching(/^mqtt:\/\/127\.0\.0\.1:\d+$/),
    pending: 0,
  });
});
