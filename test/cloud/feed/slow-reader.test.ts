import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startFeed } from '../../support/feed.ts';
import { follow } from '../../support/sse.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';
import { waitFor } from '../../support/wait.ts';

/** A follower that asks and then never reads: its window stays shut. */
function followAndSleep(http: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(http).port), '127.0.0.1', () => {
      socket.write('GET /v1/stream?region=341002 HTTP/1.1\r\nHost: x\r\n\r\n');
      resolve(socket);
    });
    socket.pause();
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
  });
}

test('a follower with too much unread is dropped, the others hear everything, and it resumes', {
  timeout: 60_000,
}, async () => {
  const stations = Array.from({ length: 300 }, (_, n) => recordOf(`s${n}`));
  const { http, stream, clock, say } = await startFeed({ stations });
  const sleeper = await followAndSleep(http);
  const reader = await follow(http, '?region=341002');
  await reader.nth('hello', 1);
  await waitFor('both', () => stream.clients === 2);
  let step = 0;
  while (stream.dropped === 0) {
    step += 1;
    for (const { id } of stations)
      say(id, { seq: step, ports: portsOf(...(step % 2 === 0 ? (['free'] as const) : (['charging'] as const))) });
    await clock.advance(1000);
    await reader.nth('patch', step);
    // The kernel's own buffers take some megabytes before anything is unread here.
    expect(step).toBeLessThan(400);
  }
  await waitFor('its place is free', () => stream.clients === 1);
  expect(stream.dropped).toBe(1);
  await clock.advance(5000);
  expect(stream.dropped).toBe(1);
  const patches = reader.events.filter(({ event }) => event === 'patch');
  expect(patches.map(({ id }) => id)).toEqual(Array.from({ length: step }, (_, n) => `e1-${n + 2}`));
  expect(patches.every(({ data }) => data.stations?.length === 300)).toBe(true);
  const closed = new Promise((resolve) => sleeper.once('close', resolve));
  sleeper.resume();
  await closed;
  const resumed = await follow(http, '?region=341002&last_event_id=e1-2');
  expect((await resumed.nth('patch', 1)).data.stations).toHaveLength(300);
});
