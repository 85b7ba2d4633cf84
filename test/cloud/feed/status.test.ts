import { expect, test } from 'vitest';
import { startFeed } from '../../support/feed.ts';
import { askJson } from '../../support/http.ts';
import { portsOf, recordOf, waterOf } from '../../support/station-words.ts';

type Status = { version: string; region: string; seq: number; stations: { id: string; [field: string]: unknown }[] };

const silent = {
  freshness: null,
  last_reported: null,
  last_changed: null,
  report_interval_s: null,
  level: null,
  last_used: null,
  features: [],
};

test('status.json of a district says all that is known of a station, and nothing else', async () => {
  const { http, tell } = await startFeed({ stations: [recordOf('a', { capacity: 12 })] });
  await tell('a', { inside: 1, ports: portsOf('free', 'charging', 'full', 'fault', 'unknown'), water: waterOf() });
  expect(await askJson<Status>(http, '/v1/regions/341002/status.json')).toEqual({
    version: '1',
    region: '341002',
    epoch: 'e1',
    seq: 2,
    evaluated_at: '2026-11-23T02:00:01Z',
    ttl: 10,
    stations: [
      {
        id: 'a',
        state: 'open',
        freshness: 'live',
        last_reported: '2026-11-23T02:00:01Z',
        last_changed: '2026-11-23T02:00:01Z',
        report_interval_s: 30,
        level: 'quiet',
        last_used: null,
        features: [
          { kind: 'seat', total: 12, free: 3, at_least: true, in_use: null, faulty: null, unknown: null },
          { kind: 'port', total: 5, free: 1, in_use: 2, faulty: 1, unknown: 1 },
          { kind: 'water_hot', total: 1, free: 1, in_use: null, faulty: 0, unknown: 0, temp_c: 92 },
        ],
      },
    ],
  });
});

test('a station never disappears: removed, without sensors, never heard and closed ones are told as such', async () => {
  const removedAt = Date.UTC(2026, 10, 1, 8);
  const { http, tell } = await startFeed({
    stations: [
      recordOf('gone', { removedAt }),
      recordOf('lite', { kind: 'lite' }),
      recordOf('lite-night', { kind: 'lite', hours: 'Mo-Su 18:00-06:00' }),
      recordOf('never'),
      recordOf('shut', { hours: 'Mo-Su 18:00-06:00' }),
    ],
  });
  await tell('shut', { ports: portsOf('free') });
  const { stations } = await askJson<Status>(http, '/v1/regions/341002/status.json');
  expect(stations).toEqual([
    { id: 'gone', state: 'removed', ...silent, last_changed: '2026-11-01T08:00:00Z' },
    { id: 'lite', state: 'open', ...silent },
    { id: 'lite-night', state: 'closed_hours', ...silent },
    { id: 'never', state: 'unknown', ...silent },
    expect.objectContaining({ id: 'shut', state: 'closed_hours', freshness: 'live' }),
  ]);
});

test('what nobody knows is null, never 0 and never free', async () => {
  const { http, tell } = await startFeed({ stations: [recordOf('a', { capacity: 12 })] });
  await tell('a', {
    people: 'unknown',
    door: 'unknown',
    ports: portsOf('unknown', 'unknown'),
    water: waterOf({ hot: 'unknown', hotC: null }),
    sensors: { 'port-1': { health: 'silent' } },
  });
  const { stations } = await askJson<Status>(http, '/v1/regions/341002/status.json');
  expect(stations[0]).toMatchObject({
    state: 'unknown',
    level: null,
    features: [
      { kind: 'seat', total: 12, free: null, unknown: 12 },
      { kind: 'port', total: 2, free: null, unknown: 2 },
      { kind: 'water_hot', total: 1, free: null, unknown: 1, temp_c: null },
    ],
  });
});

test('a single seat is neither free nor taken for the public: it would be one person', async () => {
  const { http, tell } = await startFeed({ stations: [recordOf('a', { capacity: 1 })] });
  for (const inside of [0, 1]) {
    await tell('a', { inside });
    const { stations } = await askJson<Status>(http, '/v1/regions/341002/status.json');
    expect(stations[0]).toMatchObject({
      state: 'open',
      level: 'quiet',
      features: [{ kind: 'seat', total: 1, free: null, in_use: null, unknown: null }],
    });
  }
});

const inHefei = { region: '340102' };
const inTunxi = { region: '341002' };

test.each([
  { region: '341002', ids: ['tunxi'] },
  { region: '341000', ids: ['huangshan', 'tunxi'] },
  { region: '340000', ids: ['hefei', 'huangshan', 'tunxi'] },
  { region: '100000', ids: ['hefei', 'huangshan', 'jinan', 'tunxi'] },
])('region $region holds the stations that lie in it: $ids', async ({ region, ids }) => {
  const { http } = await startFeed({
    stations: [
      recordOf('hefei', inHefei),
      recordOf('huangshan', { region: '341003' }),
      recordOf('jinan', { region: '370102' }),
      recordOf('tunxi', inTunxi),
    ],
  });
  for (const file of ['status', 'stations']) {
    const { stations } = await askJson<Status>(http, `/v1/regions/${region}/${file}.json`);
    expect(stations.map(({ id }) => id).sort()).toEqual(ids);
  }
});
