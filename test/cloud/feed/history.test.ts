import { expect, test } from 'vitest';
import { FakeClock } from '../../support/fake-clock.ts';
import { startFeed, type TestFeed } from '../../support/feed.ts';
import { ask, askJson } from '../../support/http.ts';
import { portsOf, recordOf, said } from '../../support/station-words.ts';

type History = { points: { t: string; value: number | null }[]; [field: string]: unknown };

const at = (hour: number, minute = 0, second = 0): number => Date.UTC(2026, 10, 23, hour, minute, second);

/** Half past five, UTC, and a morning behind the station. */
async function morning(): Promise<TestFeed> {
  const feed = await startFeed({ clock: new FakeClock(at(5, 30)), stations: [recordOf('a')] });
  await feed.keep('a', [
    said.port(at(1, 15), 'charging'),
    said.water(at(1, 20), 1250),
    said.water(at(1, 50), 500),
    said.port(at(2, 30), 'free', 6400),
    { kind: 'sensor', sensor: 'port-1', at: at(3), health: 'silent', reason: 'no word' },
    said.door(at(3, 29), true),
    said.people(at(3, 30), 1, 0, 1),
    { kind: 'sensor', sensor: 'water', at: at(4), health: 'silent', reason: 'no word' },
    said.people(at(4, 40), 0, 1, 0),
    said.water(at(5, 10), 300),
  ]);
  return feed;
}

async function values(feed: TestFeed, query: string, id = 'a'): Promise<Record<string, number | null>> {
  const { points } = await askJson<History>(feed.http, `/v1/stations/${id}/history?${query}`);
  return Object.fromEntries(points.map(({ t, value }) => [t.slice(8, 16), value]));
}

const sixHours = `from=${at(0)}&to=${at(6)}`;

test.each([
  { metric: 'port_minutes', known: { '23T01:00': 45, '23T02:00': 30 } },
  { metric: 'energy_wh', known: { '23T01:00': 0, '23T02:00': 6.4 } },
  { metric: 'litres', known: { '23T01:00': 1.75, '23T02:00': 0, '23T03:00': 0 } },
])('$metric by hours: what is known, and null for every hour of which nothing is', async ({ metric, known }) => {
  const feed = await morning();
  const gaps = Object.fromEntries([0, 1, 2, 3, 4, 5].map((hour) => [`23T0${hour}:00`, null]));
  expect(await values(feed, `metric=${metric}&${sixHours}`)).toEqual({ ...gaps, ...known });
});

test('the running hour is told once it is over', async () => {
  const feed = await morning();
  const hour = { litres: async () => (await values(feed, `metric=litres&from=${at(5)}&to=${at(6)}`))['23T05:00'] };
  await feed.clock.advance(29 * 60_000);
  expect(await hour.litres()).toBeNull();
  await feed.clock.advance(60_000);
  expect(await hour.litres()).toBe(0.3);
});

test('hours that no event closed are filled from what stands, as far as the station reports regularly', async () => {
  const feed = await startFeed({ clock: new FakeClock(at(3, 59, 39)) });
  await feed.keep('a', [said.port(at(1, 30), 'charging')]);
  await feed.tell('a', { ports: portsOf('charging') });
  await feed.clock.advance(15_000);
  // Somebody at the door: its time is not for the public.
  await feed.tell('a', { ports: portsOf('charging'), seq: 2, beat: undefined });
  await feed.clock.advance(10_000);
  expect(await values(feed, `metric=port_minutes&${sixHours}`)).toEqual({
    '23T00:00': null,
    '23T01:00': 30,
    '23T02:00': 60,
    '23T03:00': 59.667,
    '23T04:00': null,
    '23T05:00': null,
  });
  await feed.clock.advance(30 * 60_000);
  await feed.tell('a', { ports: portsOf('charging'), seq: 2 });
  expect(await values(feed, `metric=port_minutes&from=${at(3)}&to=${at(5)}`)).toEqual({
    '23T03:00': 60,
    '23T04:00': null,
  });
});

test('a station that was never heard has gaps alone', async () => {
  const feed = await startFeed();
  for (const metric of ['port_minutes', 'energy_wh', 'litres'])
    expect(new Set(Object.values(await values(feed, `metric=${metric}`)))).toEqual(new Set([null]));
});

test('without a range it is the last 24 hours, by hours', async () => {
  const feed = await morning();
  const { points, ...rest } = await askJson<History>(feed.http, '/v1/stations/a/history?metric=litres');
  expect(rest).toEqual({ version: '1', station: 'a', metric: 'litres', step: 'hour' });
  expect(points).toHaveLength(24);
  expect([points[0]?.t, points.at(-1)?.t]).toEqual(['2026-11-22T06:00:00Z', '2026-11-23T05:00:00Z']);
});

/** One litre a quarter to every hour of two days. */
const drops = Array.from({ length: 48 }, (_, hour) => said.water(Date.UTC(2026, 10, 21, hour, 45), 1000));

test.each([
  { timeZone: 'Asia/Shanghai', days: { '20T16:00': 16, '21T16:00': 24, '22T16:00': 8 } },
  { timeZone: 'Asia/Urumqi', days: { '20T18:00': 18, '21T18:00': 24, '22T18:00': 6 } },
  { timeZone: 'UTC', days: { '21T00:00': 24, '22T00:00': 24 } },
  // Its days begin at half past; every hour is in one of them.
  { timeZone: 'Asia/Kolkata', days: { '20T18:30': 19, '21T18:30': 24, '22T18:30': 5 } },
])('days are the station’s own: $timeZone', async ({ timeZone, days }) => {
  const feed = await startFeed({ clock: new FakeClock(at(12)), stations: [recordOf('a', { timeZone })] });
  await feed.keep('a', drops);
  const range = `from=${Date.UTC(2026, 10, 21)}&to=${Date.UTC(2026, 10, 22, 23, 59)}`;
  expect(await values(feed, `metric=litres&step=day&${range}`)).toEqual(days);
});

test('a day that ends with the range is the last one', async () => {
  const feed = await startFeed({ clock: new FakeClock(at(12)) });
  await feed.keep('a', drops);
  const range = `from=${Date.UTC(2026, 10, 20, 16)}&to=${Date.UTC(2026, 10, 22, 16)}`;
  expect(await values(feed, `metric=litres&step=day&${range}`)).toEqual({ '20T16:00': 16, '21T16:00': 24 });
});

test.each([
  { text: String(at(1)), first: '23T01:00' },
  { text: '2026-11-23T01:59:59Z', first: '23T01:00' },
  { text: '2026-11-23T09:00:00.000%2B08:00', first: '23T01:00' },
  { text: '2026-11-22T20:00:00-05:00', first: '23T01:00' },
])('from=$text begins with the hour in which it lies', async ({ text, first }) => {
  const feed = await morning();
  expect(Object.keys(await values(feed, `metric=litres&from=${text}&to=${at(3)}`))[0]).toBe(first);
});

const instants = 'expected RFC 3339 with its offset, or Unix milliseconds';

test.each([
  ['from=-1', `from: ${instants}`],
  ['from=2026-11-23T01:00:00', `from: ${instants}`],
  ['from=2026-11-23', `from: ${instants}`],
  ['to=tomorrow', `to: ${instants}`],
  ['to=2026-13-41T00:00:00Z', `to: ${instants}`],
  ['to=9007199254740993', `to: ${instants}`],
  [`from=${at(3)}&to=${at(3)}`, 'from: expected an instant before to'],
  [`from=${at(4)}&to=${at(3)}`, 'from: expected an instant before to'],
  [`from=${at(0) - 2400 * 3_600_000}&to=${at(1)}`, 'from, to: expected at most 2400 steps'],
  ['from=0', 'from, to: expected at most 2400 steps'],
  [`step=day&from=0&to=${at(0)}`, 'from, to: expected at most 2400 steps'],
])('the range %s is refused: %s', async (range, message) => {
  const feed = await morning();
  const { status, text } = await ask(feed.http, `/v1/stations/a/history?metric=litres&${range}`);
  expect({ status, ...JSON.parse(text) }).toEqual({ status: 400, error: 'bad_request', message });
});

test('the longest range is 2400 steps', async () => {
  const feed = await morning();
  const range = `from=${at(0) - 2399 * 3_600_000}&to=${at(1)}`;
  expect(Object.keys(await values(feed, `metric=litres&${range}`)).length).toBeGreaterThan(700);
  const { points } = await askJson<History>(feed.http, `/v1/stations/a/history?metric=litres&${range}`);
  expect(points).toHaveLength(2400);
});

test.each(['visits', 'inside_mean', 'inside_peak'])(
  '%s is the union’s: 401, whoever asks and in whichever form',
  async (metric) => {
    const feed = await morning();
    for (const query of ['', '&format=csv', `&step=day&from=${at(0)}`]) {
      const { status, headers, text } = await ask(feed.http, `/v1/stations/a/history?metric=${metric}${query}`, {
        headers: { authorization: 'Bearer made-up' },
      });
      expect({ status, error: JSON.parse(text).error, cache: headers['cache-control'] }).toEqual({
        status: 401,
        error: 'sign_in_needed',
        cache: 'no-store',
      });
      expect(headers['www-authenticate']).toBe('Bearer');
    }
  },
);

test('a removed station keeps its history', async () => {
  const feed = await morning();
  await feed.store.removeStation('a', at(5));
  feed.board.setRegister(await feed.store.stations());
  expect(await values(feed, `metric=litres&from=${at(1)}&to=${at(2)}`)).toEqual({ '23T01:00': 1.75 });
});
