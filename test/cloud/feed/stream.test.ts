import { expect, test } from 'vitest';
import { startFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { follow } from '../../support/sse.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';
import { waitFor } from '../../support/wait.ts';

test('the stream is never cached, never held back by a proxy, and says hello with the server’s time', async () => {
  const { http } = await startFeed();
  const follower = await follow(http, '?region=341002');
  const hello = await follower.nth('hello', 1);
  expect({ status: follower.status, headers: follower.headers }).toMatchObject({
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': '*',
    },
  });
  expect(hello).toEqual({
    event: 'hello',
    id: 'e1-1',
    data: { version: '1', region: '341002', epoch: 'e1', seq: 1, now: Date.UTC(2026, 10, 23, 2, 0, 1) },
  });
  expect(follower.text).toMatch(/^retry: 2000\n\nevent: hello\n/);
});

test('a change goes at once, what follows within a second goes together, and the newest of a station wins', async () => {
  const { http, clock, say } = await startFeed({ stations: [recordOf('a'), recordOf('b')] });
  const follower = await follow(http, '?region=341002');
  await follower.nth('hello', 1);
  say('a', { seq: 1, ports: portsOf('free', 'free') });
  await clock.advance(0);
  await follower.nth('patch', 1);
  say('a', { seq: 2, ports: portsOf('charging', 'free') });
  await clock.advance(300);
  say('b', { seq: 1, ports: portsOf('free') });
  await clock.advance(300);
  say('a', { seq: 3, ports: portsOf('charging', 'charging') });
  await clock.advance(399);
  expect(follower.events.filter(({ event }) => event === 'patch')).toHaveLength(1);
  await clock.advance(1);
  await follower.nth('patch', 2);
  await clock.advance(5000);
  const patches = follower.events.filter(({ event }) => event === 'patch');
  const told = patches.map(({ id, data }) => ({
    id,
    at: data.evaluated_at,
    free: Object.fromEntries((data.stations ?? []).map(({ id, features }) => [id, features])),
  }));
  const ports = (total: number, free: number) => [
    { kind: 'port', total, free, in_use: total - free, faulty: 0, unknown: 0 },
  ];
  expect(told).toEqual([
    { id: 'e1-2', at: '2026-11-23T02:00:01Z', free: { a: ports(2, 2) } },
    { id: 'e1-3', at: '2026-11-23T02:00:02Z', free: { a: ports(2, 0), b: ports(1, 1) } },
  ]);
});

test('a beat comes every 15 s as an event, with the id to resume by', async () => {
  const { http, clock, tell } = await startFeed();
  const follower = await follow(http);
  await tell('a', { ports: portsOf('free') });
  await clock.advance(12_999);
  await follower.nth('patch', 1);
  expect(follower.events.map(({ event }) => event)).toEqual(['hello', 'patch']);
  await clock.advance(1);
  expect(await follower.nth('beat', 1)).toEqual({
    event: 'beat',
    id: 'e1-2',
    data: { now: Date.UTC(2026, 10, 23, 2, 0, 15) },
  });
  await clock.advance(30_000);
  const { data } = await follower.nth('beat', 3);
  expect(data.now).toBe(Date.UTC(2026, 10, 23, 2, 0, 45));
});

test.each([
  { query: '', ids: ['hefei', 'jinan', 'tunxi'] },
  { query: '?region=100000', ids: ['hefei', 'jinan', 'tunxi'] },
  { query: '?region=340000', ids: ['hefei', 'tunxi'] },
  { query: '?region=340100', ids: ['hefei'] },
  { query: '?region=341002', ids: ['tunxi'] },
])('a follower of "$query" hears of $ids alone', async ({ query, ids }) => {
  const { http, say, clock } = await startFeed({
    stations: [recordOf('hefei', { region: '340102' }), recordOf('jinan', { region: '370102' }), recordOf('tunxi')],
  });
  const follower = await follow(http, query);
  await follower.nth('hello', 1);
  for (const id of ['jinan', 'tunxi', 'hefei']) {
    say(id);
    await clock.advance(1000);
  }
  await clock.advance(15_000);
  await follower.nth('beat', 1);
  const heard = follower.events.flatMap(({ event, data }) => (event === 'patch' ? (data.stations ?? []) : []));
  expect(heard.map(({ id }) => id).sort()).toEqual(ids);
});

test('a station that moves to another region is told there, and a reset where it left', async () => {
  const { http, board, store, clock } = await startFeed({ stations: [recordOf('a'), recordOf('b')] });
  const [district, city, nation, other] = await Promise.all(
    ['341002', '341000', '100000', '340000'].map((region) => follow(http, `?region=${region}`)),
  );
  await clock.advance(1000);
  await store.updateStation(recordOf('a', { region: '340102' }));
  board.setRegister(await store.stations());
  for (const left of [district, city]) {
    expect(await left?.nth('reset', 1)).toMatchObject({
      id: 'e1-2',
      data: { reason: expect.stringContaining('fetch the region again') },
    });
    expect(left?.events.map(({ event }) => event)).toEqual(['hello', 'reset']);
  }
  for (const stayed of [nation, other])
    expect(await stayed?.nth('patch', 1)).toMatchObject({ id: 'e1-2', data: { stations: [{ id: 'a' }] } });
  const late = await follow(http, '?region=341002&last_event_id=e1-1');
  expect((await late.nth('reset', 1)).id).toBe('e1-2');
});

test('followers above the bound get 503 with Retry-After, and room again when one leaves', async () => {
  const { http, stream } = await startFeed({ stream: { maxClients: 2 } });
  const first = await follow(http);
  await follow(http, '?region=341002');
  const refused = await ask(http, '/v1/stream');
  expect({
    status: refused.status,
    retryAfter: refused.headers['retry-after'],
    error: JSON.parse(refused.text).error,
  }).toEqual({ status: 503, retryAfter: '10', error: 'too_many_clients' });
  first.close();
  await waitFor('the place', () => stream.hasRoom());
  const third = await follow(http);
  expect(await third.nth('hello', 1)).toMatchObject({ event: 'hello' });
});

test('when the server stops every stream ends, whole', async () => {
  const { http, stream, clock } = await startFeed();
  const followers = await Promise.all([follow(http), follow(http, '?region=341002')]);
  for (const follower of followers) await follower.nth('hello', 1);
  stream.stop();
  expect(await Promise.all(followers.map(({ ended }) => ended))).toEqual(['ended', 'ended']);
  expect(stream.clients).toBe(0);
  await clock.advance(60_000);
  for (const { events } of followers) expect(events.map(({ event }) => event)).toEqual(['hello']);
});
