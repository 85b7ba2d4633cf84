import { expect, test } from 'vitest';
import { startFeed, type TestFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';

const status = '/v1/regions/341002/status.json';
const fixed = ['/v1/feed.json', '/v1/regions/341002/stations.json'];
const liveFor = 'public, max-age=5, stale-while-revalidate=5, stale-if-error=60';
const fixedFor = 'public, max-age=3600';

type Held = { etag: string; body: string };

async function held({ http }: TestFeed, path: string): Promise<Held> {
  const { headers, text } = await ask(http, path);
  return { etag: headers.etag ?? '', body: text };
}

test.each([
  { path: status, cacheControl: liveFor },
  { path: '/v1/regions/100000/status.json', cacheControl: liveFor },
  { path: '/v1/summary.json', cacheControl: liveFor },
  { path: '/v1/feed.json', cacheControl: fixedFor },
  { path: '/v1/regions/341002/stations.json', cacheControl: fixedFor },
])('$path has a strong ETag, and 304 without a body for who holds it', async ({ path, cacheControl }) => {
  const { http } = await startFeed();
  const { status, headers, text } = await ask(http, path);
  expect({ status, cacheControl: headers['cache-control'], cors: headers['access-control-allow-origin'] }).toEqual({
    status: 200,
    cacheControl,
    cors: '*',
  });
  const etag = String(headers.etag);
  expect(etag).toMatch(/^"(e1-\d+|[0-9a-f]{16})"$/);
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await ask(http, path, { headers: { 'if-none-match': tag } });
    expect({
      tag,
      status: again.status,
      body: again.text,
      etag: again.headers.etag,
      cache: again.headers['cache-control'],
    }).toEqual({ tag, status: 304, body: '', etag, cache: cacheControl });
  }
  const other = await ask(http, path, { headers: { 'if-none-match': '"e0-1", "e1"' } });
  expect({ status: other.status, body: other.text }).toEqual({ status: 200, body: text });
});

const openDoor = { sensor: 'door', open: true, locked: null, alarm: null };

/** Every kind of thing that can happen, and the paths whose body it changes. */
const happenings: { what: string; happen: (feed: TestFeed) => Promise<void> | void; changes: string[] }[] = [
  { what: 'nothing', happen: ({ clock }) => clock.advance(20_000), changes: [] },
  {
    what: 'a state that changes nothing public',
    happen: ({ tell }) => tell('a', { seq: 1, beat: undefined, ports: portsOf('free'), door: openDoor, inside: 1 }),
    changes: [],
  },
  { what: 'the regular report', happen: ({ tell }) => tell('a'), changes: [status, '/v1/summary.json'] },
  {
    what: 'a port that is taken',
    happen: ({ tell }) => tell('a', { seq: 1, ports: portsOf('charging') }),
    changes: [status, '/v1/summary.json'],
  },
  { what: 'time', happen: ({ clock }) => clock.advance(62_000), changes: [status, '/v1/summary.json'] },
  { what: 'a station of another region', happen: ({ tell }) => tell('far'), changes: ['/v1/summary.json'] },
  {
    what: 'a register that was read again and is the same',
    happen: async ({ board, store, clock }) => {
      board.setRegister(await store.stations());
      await clock.advance(2000);
    },
    changes: [],
  },
  {
    what: 'a new station',
    happen: ({ board, store }) => register({ board, store }, [recordOf('b')]),
    changes: [status, '/v1/summary.json', '/v1/regions/341002/stations.json'],
  },
  {
    what: 'a station that moved to another region',
    happen: async ({ board, store }) => {
      await store.updateStation(recordOf('a2', { region: '370102' }));
      board.setRegister(await store.stations());
    },
    changes: [status, '/v1/summary.json', '/v1/regions/341002/stations.json'],
  },
];

async function register(
  { board, store }: Pick<TestFeed, 'board' | 'store'>,
  records: ReturnType<typeof recordOf>[],
): Promise<void> {
  await store.addStations(records.map((record) => ({ record, credential: null })));
  board.setRegister(await store.stations());
}

test.each(happenings)(
  '$what changes the ETag of $changes and of nothing else, and the body with it',
  async ({ happen, changes }) => {
    const feed = await startFeed({ stations: [recordOf('a'), recordOf('a2'), recordOf('far', { region: '370102' })] });
    await feed.tell('a', { ports: portsOf('free') });
    const paths = [status, '/v1/summary.json', ...fixed];
    const before = await Promise.all(paths.map((path) => held(feed, path)));
    await happen(feed);
    const after = await Promise.all(paths.map((path) => held(feed, path)));
    const moved = (one: keyof Held): string[] =>
      paths.filter((_path, index) => before[index]?.[one] !== after[index]?.[one]);
    expect(moved('body')).toEqual(expect.arrayContaining(changes));
    expect(moved('etag')).toEqual(moved('body'));
    expect(moved('etag').filter((path) => path !== '/v1/feed.json')).toEqual(changes);
  },
);

test('an ETag of another process is none of this one’s', async () => {
  const first = await startFeed({ epoch: 'first' });
  const second = await startFeed({ epoch: 'second' });
  for (const path of [status, '/v1/summary.json']) {
    const { etag } = await held(first, path);
    expect((await ask(second.http, path, { headers: { 'if-none-match': etag } })).status).toBe(200);
  }
});

test.each([
  status,
  '/v1/summary.json',
  ...fixed,
  '/v1/stations/a/history?metric=litres',
  '/healthz',
  '/asyncapi.json',
  '/',
])('HEAD %s is its GET without the body', async (path) => {
  const { http } = await startFeed();
  const got = await ask(http, path);
  const head = await ask(http, path, { method: 'HEAD' });
  const { date: _now, ...headers } = got.headers;
  expect({ status: head.status, body: head.text }).toEqual({ status: 200, body: '' });
  expect(head.headers).toMatchObject({ ...headers, 'content-length': String(got.body.length) });
});

test('HEAD of the stream ends at once and takes nobody’s place', async () => {
  const { http, stream } = await startFeed({ stream: { maxClients: 1 } });
  const { status, headers, text } = await ask(http, '/v1/stream', { method: 'HEAD' });
  expect({ status, text, type: headers['content-type'] }).toEqual({
    status: 200,
    text: '',
    type: 'text/event-stream; charset=utf-8',
  });
  expect(stream.clients).toBe(0);
});
