import { expect, test } from 'vitest';
import { FakeClock } from '../../support/fake-clock.ts';
import { startFeed, type TestFeed } from '../../support/feed.ts';
import { askJson } from '../../support/http.ts';
import { follow, type StationStatus } from '../../support/sse.ts';
import { portsOf, recordOf, stateOf, waterOf } from '../../support/station-words.ts';

async function statusOf({ http }: TestFeed, id = 'a'): Promise<StationStatus | undefined> {
  const { stations } = await askJson<{ stations: StationStatus[] }>(http, '/v1/regions/341002/status.json');
  return stations.find((station) => station.id === id);
}

/** Reported at 10:00:01 in Shanghai: 02:00:01 UTC. */
const told = { ports: portsOf('free', 'charging'), water: waterOf(), inside: 3 };
const heard = [
  { kind: 'seat', total: 12, free: 3, at_least: true, in_use: null, faulty: null, unknown: null },
  { kind: 'port', total: 2, free: 1, in_use: 1, faulty: 0, unknown: 0 },
  { kind: 'water_hot', total: 1, free: 1, in_use: null, faulty: 0, unknown: 0, temp_c: 92 },
];
const at = '2026-11-23T02:00:01Z';
const silent = [
  {
    kind: 'seat',
    total: 12,
    free: null,
    in_use: null,
    faulty: null,
    unknown: 12,
    last_known: expect.objectContaining({ free: 3, at }),
  },
  { kind: 'port', total: 2, free: null, in_use: null, faulty: null, unknown: 2, last_known: { free: 1, at } },
  {
    kind: 'water_hot',
    total: 1,
    free: null,
    in_use: null,
    faulty: null,
    unknown: 1,
    temp_c: null,
    last_known: { free: 1, at },
  },
];

test('without a word a station turns late, stale and offline by the cloud’s clock, and its values move aside', async () => {
  const feed = await startFeed({ stations: [recordOf('a', { capacity: 12 })] });
  const { http, clock, say } = feed;
  const follower = await follow(http, '?region=341002');
  say('a', told);
  const life: { untilS: number; event: number; status: Partial<StationStatus> }[] = [
    { untilS: 60, event: 1, status: { state: 'open', freshness: 'live', level: 'some', features: heard } },
    { untilS: 300, event: 2, status: { state: 'open', freshness: 'late', level: 'some', features: heard } },
    { untilS: 600, event: 3, status: { state: 'unknown', freshness: 'stale', level: null, features: silent } },
    { untilS: 3600, event: 4, status: { state: 'unknown', freshness: 'offline', level: null, features: silent } },
  ];
  let passedS = 0;
  for (const { untilS, event, status } of life) {
    // A second for the clock's slot and one for the coalescing.
    await clock.advance(event === 1 ? 0 : 2000);
    passedS += event === 1 ? 0 : 2;
    const patch = await follower.nth('patch', event);
    const expected = { id: 'a', last_reported: at, report_interval_s: 30, last_used: null, ...status };
    expect(patch.data.stations).toEqual([{ ...expected, last_changed: expect.any(String) }]);
    expect(await statusOf(feed)).toEqual(patch.data.stations?.[0]);
    await clock.advance((untilS - passedS) * 1000);
    passedS = untilS;
    expect(follower.events.filter(({ event: name }) => name === 'patch')).toHaveLength(event);
  }
});

test('last_changed is when a public value changed, and not when the station spoke', async () => {
  const feed = await startFeed();
  const { clock, tell } = feed;
  const changed = async (): Promise<unknown> => (await statusOf(feed))?.['last_changed'];
  await tell('a', { ports: portsOf('free') });
  expect(await changed()).toBe('2026-11-23T02:00:01Z');
  await clock.advance(28_000);
  await tell('a', { ports: portsOf('free') });
  expect(await changed()).toBe('2026-11-23T02:00:01Z');
  await tell('a', { seq: 1, ports: portsOf('charging') });
  expect(await changed()).toBe('2026-11-23T02:00:31Z');
  await clock.advance(302_000);
  expect(await changed()).toBe('2026-11-23T02:05:32Z');
});

test('a longer report interval is given its own two, and never more than 300 s', async () => {
  const feed = await startFeed({ stations: [recordOf('a'), recordOf('slow')] });
  await feed.tell('a', { reportIntervalS: 120 });
  await feed.tell('slow', { reportIntervalS: 900 });
  const both = async (): Promise<unknown[]> => [
    (await statusOf(feed, 'a'))?.['freshness'],
    (await statusOf(feed, 'slow'))?.['freshness'],
  ];
  await feed.clock.advance(237_000);
  expect(await both()).toEqual(['live', 'live']);
  await feed.clock.advance(5000);
  expect(await both()).toEqual(['late', 'live']);
  await feed.clock.advance(60_000);
  expect(await both()).toEqual(['stale', 'stale']);
});

test('a station that speaks again is live at once, and its last_known is gone', async () => {
  const feed = await startFeed();
  await feed.tell('a', { ports: portsOf('free') });
  await feed.clock.advance(700_000);
  expect(await statusOf(feed)).toMatchObject({ freshness: 'offline', features: [{ last_known: { free: 1 } }] });
  await feed.tell('a', { seq: 1, ports: portsOf('charging', 'free') });
  expect(await statusOf(feed)).toMatchObject({
    state: 'open',
    freshness: 'live',
    features: [{ kind: 'port', total: 2, free: 1, in_use: 1, faulty: 0, unknown: 0 }],
  });
  expect((await statusOf(feed))?.['features']).not.toContainEqual(
    expect.objectContaining({ last_known: expect.anything() }),
  );
});

test('a status follows the wall clock, also where that jumps', async () => {
  const feed = await startFeed();
  await feed.tell('a', { ports: portsOf('free') });
  feed.clock.jumpWall(400_000);
  await feed.clock.advance(2000);
  expect(await statusOf(feed)).toMatchObject({ freshness: 'stale', features: [{ free: null }] });
});

test('opening hours turn by the clock alone, in the station’s own time zone, and followers hear it', async () => {
  const feed = await startFeed({
    clock: new FakeClock(Date.UTC(2026, 10, 23, 13, 59, 50)),
    stations: [
      recordOf('a', { hours: 'Mo-Su 06:00-22:00' }),
      recordOf('urumqi', { hours: 'Mo-Su 06:00-22:00', timeZone: 'Asia/Urumqi' }),
    ],
  });
  await feed.tell('a');
  await feed.tell('urumqi');
  const follower = await follow(feed.http);
  expect(await statusOf(feed)).toMatchObject({ state: 'open' });
  await feed.clock.advance(9000);
  expect((await follower.nth('patch', 1)).data.stations).toMatchObject([
    { id: 'a', state: 'closed_hours', freshness: 'live' },
  ]);
  expect(await statusOf(feed, 'urumqi')).toMatchObject({ state: 'open' });
});

test.each([
  { downS: 10, freshness: 'live', state: 'open', free: 1 },
  { downS: 100, freshness: 'late', state: 'open', free: 1 },
  { downS: 400, freshness: 'stale', state: 'unknown', free: null },
  { downS: 90_000, freshness: 'offline', state: 'unknown', free: null },
])(
  'after $downS s down the feed shows what it knew, as $freshness, and never as newer',
  async ({ downS, freshness, state, free }) => {
    const first = await startFeed();
    await first.tell('a', { seq: 5, ports: portsOf('free') });
    await first.live.save(first.store);
    const clock = new FakeClock(first.clock.wallMs());
    await clock.advance(downS * 1000);
    const second = await startFeed({ clock, store: first.store, stations: [], epoch: 'e2' });
    const expected = { state, freshness, last_reported: at, features: [{ kind: 'port', total: 1, free }] };
    expect(await statusOf(second)).toMatchObject(expected);
    // What a broker kept of that time says what was, not what is.
    second.live.takeState(
      'a',
      {
        state: stateOf({ seq: 5, ports: portsOf('free'), clock: 'set', at: Date.parse(at) }),
        epochOrder: 1,
        retained: true,
        arrivedAt: clock.wallMs(),
      },
      null,
    );
    await clock.advance(1000);
    expect(await statusOf(second)).toMatchObject(expected);
    await second.tell('a', { seq: 6, ports: portsOf('charging') });
    expect(await statusOf(second)).toMatchObject({
      state: 'open',
      freshness: 'live',
      features: [{ free: 0, in_use: 1 }],
    });
  },
);
