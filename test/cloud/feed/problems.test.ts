import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { startFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { tempDir } from '../../support/temp-dir.ts';

const history = '/v1/stations/a/history';
const metrics = '"port_minutes"|"energy_wh"|"litres"';
const instants = 'expected RFC 3339 with its offset, or Unix milliseconds';

test.each<{ path: string; status: number; error: string; message: string | RegExp }>([
  {
    path: '/v1/nowhere',
    status: 404,
    error: 'not_found',
    message: 'no /v1/nowhere here: /v1/feed.json lists the feeds',
  },
  { path: '/v1/feed.json/', status: 404, error: 'not_found', message: /^no \/v1\/feed\.json\/ here/ },
  { path: '//v1/feed.json', status: 404, error: 'not_found', message: /^no \/\/v1\/feed\.json here/ },
  { path: '/v1/%zz', status: 400, error: 'bad_request', message: 'path: expected percent-encoded UTF-8' },
  {
    path: '/v1/regions/%ff%fe/status.json',
    status: 400,
    error: 'bad_request',
    message: 'path: expected percent-encoded UTF-8',
  },
  {
    path: '/v1/regions/999999/status.json',
    status: 404,
    error: 'unknown_region',
    message: 'no station in region 999999',
  },
  {
    path: '/v1/regions/999999/stations.json',
    status: 404,
    error: 'unknown_region',
    message: 'no station in region 999999',
  },
  { path: '/v1/regions/34100/status.json', status: 400, error: 'bad_request', message: 'adcode: expected six digits' },
  { path: '/v1/regions/%00/status.json', status: 400, error: 'bad_request', message: 'adcode: expected six digits' },
  {
    path: '/v1/regions/..%2f..%2fetc/stations.json',
    status: 400,
    error: 'bad_request',
    message: 'adcode: expected six digits',
  },
  {
    path: '/v1/regions/341002%0a/status.json',
    status: 400,
    error: 'bad_request',
    message: 'adcode: expected six digits',
  },
  {
    path: '/v1/stations/nobody/history?metric=litres',
    status: 404,
    error: 'unknown_station',
    message: 'no station nobody',
  },
  { path: '/v1/stations/%00/history?metric=litres', status: 404, error: 'unknown_station', message: 'no station \0' },
  {
    path: `/v1/stations/${'x'.repeat(90)}/history`,
    status: 404,
    error: 'unknown_station',
    message: `no station ${'x'.repeat(48)}`,
  },
  {
    path: `/v1/stations/${'x'.repeat(9000)}/history`,
    status: 404,
    error: 'unknown_station',
    message: `no station ${'x'.repeat(48)}`,
  },
  {
    path: history,
    status: 400,
    error: 'bad_request',
    message: new RegExp(`^metric: .*expected one of ${metrics.replaceAll('|', '\\|')}`),
  },
  { path: `${history}?metric=people`, status: 400, error: 'bad_request', message: /^metric: .*expected one of/ },
  {
    path: `${history}?metric=litres&metric=litres`,
    status: 400,
    error: 'bad_request',
    message: /^metric: .*expected one of/,
  },
  {
    path: `${history}?metric=litres&step=week`,
    status: 400,
    error: 'bad_request',
    message: /^step: .*expected one of "hour"\|"day"/,
  },
  {
    path: `${history}?metric=litres&format=xlsx`,
    status: 400,
    error: 'bad_request',
    message: /^format: .*"json"\|"csv"\|"ndjson"/,
  },
  { path: `${history}?metric=litres&since=1`, status: 400, error: 'bad_request', message: /"since"/ },
  { path: `${history}?metric=litres&from=%00`, status: 400, error: 'bad_request', message: `from: ${instants}` },
  {
    path: `${history}?metric=litres&from=${'1'.repeat(9000)}`,
    status: 400,
    error: 'bad_request',
    message: `from: ${instants}`,
  },
  { path: '/v1/stream?region=tunxi', status: 400, error: 'bad_request', message: 'region: expected six digits' },
  { path: '/v1/stream?region=', status: 400, error: 'bad_request', message: 'region: expected six digits' },
  { path: '/v1/stream?region=999999', status: 404, error: 'unknown_region', message: 'no station in region 999999' },
  {
    path: `/v1/stream?last_event_id=${'x'.repeat(65)}`,
    status: 400,
    error: 'bad_request',
    message: /^last_event_id: .*64/,
  },
])('$path: $status, and the answer says what is wrong', async ({ path, status, error, message }) => {
  const { http } = await startFeed();
  const answer = await ask(http, path);
  expect({ status: answer.status, ...JSON.parse(answer.text) }).toEqual({
    status,
    error,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'x-content-type-options': 'nosniff',
  });
});

test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('the feed is read only: %s is not there', async (method) => {
  const { http } = await startFeed();
  const { status, text } = await ask(http, '/v1/feed.json', { method });
  expect({ status, error: JSON.parse(text).error }).toEqual({ status: 404, error: 'not_found' });
});

test('a request line beyond every measure ends its own connection alone', async () => {
  const { http } = await startFeed();
  expect((await ask(http, `/v1/${'x'.repeat(100_000)}`)).status).toBe(431);
  const socket = connect(Number(new URL(http).port), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.end('not HTTP at all\r\n\r\n');
  socket.resume();
  await closed;
  expect((await ask(http, '/v1/feed.json')).status).toBe(200);
});

test('a store that fails is said without its inside, and written to the log', async () => {
  const store = openSqliteStore(`${tempDir()}/cloud.db`);
  store.history = () => Promise.reject(new StoreError('disk I/O error at /var/lib/secret'));
  const { http, lines } = await startFeed({ store });
  const { status, text } = await ask(http, `${history}?metric=litres`);
  expect({ status, ...JSON.parse(text) }).toEqual({
    status: 500,
    error: 'internal',
    message: 'the feed failed; try again',
  });
  expect(lines).toEqual([
    expect.objectContaining({
      level: 50,
      msg: 'request failed',
      path: history,
      err: expect.objectContaining({ message: 'disk I/O error at /var/lib/secret' }),
    }),
  ]);
});
