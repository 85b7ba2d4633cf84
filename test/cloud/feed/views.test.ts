import { expect, test } from 'vitest';
import { startFeed } from '../../support/feed.ts';
import { ask, askJson } from '../../support/http.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';

test('/ is the page, and asked for again every time', async () => {
  const { http } = await startFeed();
  const { status, headers, text } = await ask(http, '/');
  expect({ status, type: headers['content-type'], cache: headers['cache-control'] }).toEqual({
    status: 200,
    type: 'text/html; charset=utf-8',
    cache: 'no-cache',
  });
  expect(text).toMatch(/^<!doctype html>\n<html lang="zh-CN">/);
});

test('asyncapi.json is the document of the messages', async () => {
  const { http } = await startFeed();
  const { headers, text } = await ask(http, '/asyncapi.json');
  expect(headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=3600',
  });
  const { asyncapi, channels } = JSON.parse(text);
  expect(asyncapi).toMatch(/^3\./);
  expect(Object.keys(channels).sort()).toEqual([
    'ack',
    'commands',
    'config',
    'events',
    'hello',
    'presence',
    'replies',
    'reset',
    'state',
    'welcome',
  ]);
});

test('feed.json says where everything is', async () => {
  const { http } = await startFeed();
  const feeds = (adcode: string) => ({
    adcode,
    feeds: {
      stations: { url: `/v1/regions/${adcode}/stations.json`, ttl: 3600 },
      status: { url: `/v1/regions/${adcode}/status.json`, ttl: 10 },
    },
  });
  expect(await askJson(http, '/v1/feed.json')).toEqual({
    version: '1',
    licence: 'CC0-1.0',
    languages: ['zh-CN', 'en'],
    stream: { url: '/v1/stream?region={adcode}', events: ['hello', 'patch', 'beat', 'reset'] },
    summary: { url: '/v1/summary.json', ttl: 10 },
    history: { url: '/v1/stations/{id}/history?metric={metric}&from={from}&to={to}&step={step}' },
    regions: [feeds('100000'), feeds('340000'), feeds('341000'), feeds('341002')],
  });
});

test('stations.json tells the register, positions to a tenth of a metre', async () => {
  const record = recordOf('a', {
    name: '老街驿站',
    aliases: ['司机之家'],
    lat: 29.71412349,
    lng: 118.31600001,
    address: '老街 1 号',
    hours: 'Mo-Su 06:00-22:00',
    capacity: 12,
    facilities: ['microwave'],
    steward: '王站长',
    complaintLine: '0559-12351',
    levels: ['省级示范点'],
  });
  const { http } = await startFeed({
    stations: [record, recordOf('b', { removedAt: Date.UTC(2026, 10, 1, 8), kind: 'lite' })],
  });
  const body = await askJson<{ stations: object[] }>(http, '/v1/regions/341002/stations.json');
  expect(body).toEqual({
    version: '1',
    region: '341002',
    revision: expect.stringMatching(/^[0-9a-f]{16}$/),
    ttl: 3600,
    stations: [
      {
        id: 'a',
        name: '老街驿站',
        aliases: ['司机之家'],
        region: '341002',
        kind: 'smart',
        position: { lat: 29.714123, lng: 118.316 },
        address: '老街 1 号',
        opening_hours: 'Mo-Su 06:00-22:00',
        time_zone: 'Asia/Shanghai',
        seats: 12,
        facilities: ['microwave'],
        steward: '王站长',
        complaint_line: '0559-12351',
        levels: ['省级示范点'],
        removed_at: null,
      },
      expect.objectContaining({ id: 'b', kind: 'lite', seats: null, removed_at: '2026-11-01T08:00:00Z' }),
    ],
  });
});

type Counters = { adcode: string; total: number; [counter: string]: number | string };

const states = ['open', 'full', 'closed_hours', 'closed_fault', 'unknown', 'removed'] as const;

test('the counters of the summary add up to the total, in every region', async () => {
  const { http, clock, say, tell } = await startFeed({
    stations: [
      recordOf('open'),
      recordOf('full', { capacity: 2 }),
      recordOf('hours', { hours: 'Mo-Su 18:00-06:00' }),
      recordOf('fault', { region: '340102' }),
      recordOf('never', { region: '340102' }),
      recordOf('gone', { region: '340102', removedAt: Date.UTC(2026, 10, 1) }),
      recordOf('lite', { kind: 'lite', region: '370102' }),
      recordOf('old'),
    ],
  });
  await tell('old', { ports: portsOf('free', 'free') });
  await clock.advance(700_000);
  say('open', { ports: portsOf('free', 'charging', 'unknown') });
  say('full', { inside: 2, ports: portsOf('free') });
  say('hours');
  await tell('fault', { ports: portsOf('free'), door: { sensor: 'door', open: false, locked: true, alarm: null } });
  const { regions } = await askJson<{ regions: Counters[] }>(http, '/v1/summary.json');
  expect(regions.map(({ adcode, total }) => [adcode, total])).toEqual([
    ['100000', 8],
    ['340000', 7],
    ['340100', 3],
    ['340102', 3],
    ['341000', 4],
    ['341002', 4],
    ['370000', 1],
    ['370100', 1],
    ['370102', 1],
  ]);
  for (const region of regions)
    expect(
      states.reduce((sum, state) => sum + Number(region[state]), 0),
      region.adcode,
    ).toBe(region.total);
  expect(regions[0]).toEqual({
    adcode: '100000',
    total: 8,
    open: 2,
    full: 1,
    closed_hours: 1,
    closed_fault: 1,
    unknown: 2,
    removed: 1,
    live: 4,
    late: 0,
    stale: 0,
    offline: 1,
    lite: 1,
    ports: 7,
    ports_free: 2,
  });
});
