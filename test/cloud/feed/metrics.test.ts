import { expect, test } from 'vitest';
import { removeStation, startTestCloud, type TestCloud } from '../../support/cloud.ts';
import { startFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { connectStation } from '../../support/mqtt-station.ts';
import { type Metric, parsePrometheus } from '../../support/prometheus.ts';
import { follow } from '../../support/sse.ts';
import { recordOf, said } from '../../support/station-words.ts';
import { waitFor } from '../../support/wait.ts';

async function scrape({ http }: TestCloud): Promise<Map<string, Metric>> {
  const { status, headers, text } = await ask(http, '/metrics');
  expect({ status, type: headers['content-type'] }).toEqual({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
  });
  return parsePrometheus(text);
}

/** Samples of the house's own metrics, without what is 0. */
function ours(metrics: Map<string, Metric>): Record<string, number> {
  const samples = [...metrics]
    .filter(([name]) => name.startsWith('yizhan_'))
    .flatMap(([, metric]) => [...metric.samples]);
  return Object.fromEntries(samples.filter(([name, value]) => value !== 0 && name !== 'yizhan_store_bytes'));
}

test('the page is valid Prometheus text from the first moment, and names what the house counts', async () => {
  const cloud = await startTestCloud({ stations: [] });
  const metrics = await scrape(cloud);
  const kinds = [...metrics]
    .filter(([name]) => name.startsWith('yizhan_'))
    .map(([name, { type }]) => `${type} ${name}`);
  expect(kinds.sort()).toEqual([
    'counter yizhan_ingest_acks_total',
    'counter yizhan_ingest_conflicts_total',
    'counter yizhan_ingest_duplicates_total',
    'counter yizhan_ingest_messages_total',
    'counter yizhan_ingest_poison_total',
    'counter yizhan_ingest_resets_total',
    'counter yizhan_ingest_stored_total',
    'counter yizhan_ingest_too_far_ahead_total',
    'counter yizhan_refusals_total',
    'counter yizhan_stream_dropped_total',
    'gauge yizhan_broker_connected',
    'gauge yizhan_broker_connections',
    'gauge yizhan_feed_seq',
    'gauge yizhan_ingest_queue_items',
    'gauge yizhan_stations',
    'gauge yizhan_store_bytes',
    'gauge yizhan_store_records',
    'gauge yizhan_stream_clients',
  ]);
  expect(metrics.has('process_cpu_seconds_total')).toBe(true);
  expect(ours(metrics)).toEqual({ yizhan_broker_connected: 1 });
});

test('what happens is counted, by its own counter', async () => {
  const cloud = await startTestCloud({
    stations: [recordOf('a'), recordOf('b'), recordOf('lite', { kind: 'lite' }), recordOf('never')],
  });
  const follower = await follow(cloud.http);
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const now = Date.now();
  await station.hello();
  await station.state();
  await station.events([said.door(now, true), said.people(now, 1, 0, 1), { kind: 'nonsense' }]);
  await station.say('state', { nonsense: true });
  await station.say('events', { session: 'unknown', epoch: 'a'.repeat(32), first: 4, events: [said.door(now, false)] });
  await station.answer('reset');
  await expect(connectStation({ port: cloud.mqttPort, id: 'b', password: 'wrong' })).rejects.toThrow();
  await follower.nth('patch', 1);
  const counted = await waitFor('the live state', async () => {
    const samples = ours(await scrape(cloud));
    return samples['yizhan_stations{freshness="live"}'] === 1 ? samples : null;
  });
  expect(counted).toEqual({
    yizhan_broker_connected: 1,
    yizhan_broker_connections: 1,
    yizhan_feed_seq: 2,
    yizhan_ingest_acks_total: 1,
    // hello, state, events, the state that is none, events of another session
    yizhan_ingest_messages_total: 5,
    yizhan_ingest_poison_total: 1,
    yizhan_ingest_resets_total: 1,
    yizhan_ingest_stored_total: 2,
    // a state that is none, an event that is none, a wrong password
    yizhan_refusals_total: 3,
    'yizhan_stations{freshness="live"}': 1,
    'yizhan_stations{freshness="never"}': 3,
    'yizhan_store_records{what="events"}': 3,
    'yizhan_store_records{what="quarantined"}': 1,
    'yizhan_store_records{what="stations"}': 4,
    yizhan_stream_clients: 1,
  });
});

test('counters only grow, whatever is sent twice and whoever goes', async () => {
  const cloud = await startTestCloud();
  const counters = async (): Promise<[string, number][]> =>
    [...(await scrape(cloud))].flatMap(([, { type, samples }]) => (type === 'counter' ? [...samples] : []));
  const station = await connectStation({ port: cloud.mqttPort, id: 'a' });
  const { session } = await station.hello();
  const event = said.door(Date.now(), true);
  let before = new Map(await counters());
  for (let round = 0; round < 4; round++) {
    await station.say('events', { session, epoch: 'a'.repeat(32), first: 1, events: [event] });
    const follower = await follow(cloud.http);
    follower.close();
    await waitFor('the ack', async () => new Map(await counters()).get('yizhan_ingest_acks_total') === round + 1);
    const after = await counters();
    for (const [name, value] of after) expect(value, name).toBeGreaterThanOrEqual(before.get(name) ?? 0);
    before = new Map(after);
  }
  expect(before.get('yizhan_ingest_stored_total')).toBe(1);
  expect(before.get('yizhan_ingest_duplicates_total')).toBe(3);
});

test('a removed station is not one that was never heard', async () => {
  const cloud = await startTestCloud({ stations: [recordOf('a'), recordOf('gone')] });
  expect(ours(await scrape(cloud))).toMatchObject({ 'yizhan_store_records{what="stations"}': 2 });
  await removeStation(cloud.dataDir, 'gone');
  await waitFor('the removal', async () => ours(await scrape(cloud))['yizhan_stations{freshness="never"}'] === 1);
  expect(ours(await scrape(cloud))).toMatchObject({ 'yizhan_store_records{what="stations"}': 1 });
});

test.each([
  { metrics: 'local', direct: 200, byProxy: 403 },
  { metrics: 'public', direct: 200, byProxy: 200 },
  { metrics: 'off', direct: 404, byProxy: 404 },
] as const)('http.metrics: $metrics answers $direct here, and $byProxy to whom a proxy stands for', async (given) => {
  const { http } = await startFeed({ metrics: given.metrics });
  expect((await ask(http, '/metrics')).status).toBe(given.direct);
  const headers = { 'x-forwarded-for': '203.0.113.9' };
  expect((await ask(http, '/metrics', { headers })).status).toBe(given.byProxy);
});
