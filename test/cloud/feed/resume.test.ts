import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEventId } from '../../../cloud/feed/stream.ts';
import { startFeed, type TestFeed } from '../../support/feed.ts';
import { askJson } from '../../support/http.ts';
import { follow, parseEvents, type StationStatus } from '../../support/sse.ts';
import { portsOf, recordOf } from '../../support/station-words.ts';

const ways = [
  { how: 'the Last-Event-ID header', resume: (id: string) => ({ query: '', headers: { 'last-event-id': id } }) },
  { how: '?last_event_id=', resume: (id: string) => ({ query: `?last_event_id=${id}`, headers: {} }) },
];

test.each(ways)('by $how a follower gets what changed since, once, in its newest form', async ({ resume }) => {
  const { http, tell } = await startFeed({ stations: ['a', 'b', 'c'].map((id) => recordOf(id)) });
  await tell('a');
  await tell('b', { ports: portsOf('free') });
  await tell('b', { seq: 1, ports: portsOf('charging') });
  await tell('c');
  const { query, headers } = resume('e1-2');
  const follower = await follow(http, query, headers);
  const patch = await follower.nth('patch', 1);
  expect(patch.id).toBe('e1-5');
  expect(patch.data.stations?.map(({ id, features }) => [id, features])).toEqual([
    ['b', [expect.objectContaining({ in_use: 1 })]],
    ['c', []],
  ]);
  await tell('a', { seq: 1, ports: portsOf('free') });
  expect(await follower.nth('patch', 2)).toMatchObject({ id: 'e1-6', data: { stations: [{ id: 'a' }] } });
});

test.each(ways)('by $how a follower that missed nothing gets nothing again', async ({ resume }) => {
  const { http, clock, tell } = await startFeed();
  await tell('a');
  const { query, headers } = resume('e1-2');
  const follower = await follow(http, query, headers);
  await follower.nth('hello', 1);
  await clock.advance(15_000);
  await follower.nth('beat', 1);
  expect(follower.events.map(({ event }) => event)).toEqual(['hello', 'beat']);
});

test('the header goes before the query: a browser sends the newer one there', async () => {
  const { http, tell } = await startFeed();
  await tell('a');
  const follower = await follow(http, '?last_event_id=e1-1', { 'last-event-id': 'e1-2' });
  await tell('a', { seq: 1, ports: portsOf('free') });
  expect((await follower.nth('patch', 1)).id).toBe('e1-3');
});

test('the hello of a resumed stream carries no id: cut off behind it, nothing counts as seen', async () => {
  const { http, tell } = await startFeed();
  await tell('a');
  for (const last of ['e1-1', 'e9-1']) {
    const follower = await follow(http, `?last_event_id=${last}`);
    expect((await follower.nth('hello', 1)).id).toBeNull();
  }
});

test.each([
  'e0-1',
  'e1-3',
  'e1-999999999999999',
  'e1-9999999999999999',
  'e1--1',
  'e1',
  'garbage',
  'e1-1 ',
  'E1-1',
  '../e1-1',
  '%F0%9F%98%80',
])('the id %j of another process, the future or nowhere gets a reset, and then what is new', async (id) => {
  const { http, tell } = await startFeed();
  await tell('a');
  const follower = await follow(http, `?last_event_id=${encodeURI(id)}`);
  const reset = await follower.nth('reset', 1);
  expect(reset).toMatchObject({ id: 'e1-2', data: { reason: expect.stringContaining('fetch the region again') } });
  await tell('a', { seq: 1, ports: portsOf('free') });
  await follower.nth('patch', 1);
  expect(follower.events.map(({ event }) => event)).toEqual(['hello', 'reset', 'patch']);
});

test('who missed more than it may leave unread fetches the region, instead of being dropped for ever', async () => {
  const stations = Array.from({ length: 20 }, (_, n) => recordOf(`s${n}`));
  const { http, say, clock } = await startFeed({ stations, stream: { maxUnreadBytes: 2000 } });
  for (const { id } of stations) say(id);
  await clock.advance(1000);
  const follower = await follow(http, '?last_event_id=e1-1');
  expect(await follower.nth('reset', 1)).toMatchObject({ id: 'e1-2' });
  say('s0', { seq: 1, ports: portsOf('free') });
  await clock.advance(1000);
  const close = await follow(http, '?last_event_id=e1-2');
  expect((await close.nth('patch', 1)).data.stations).toHaveLength(1);
});

test('an event id is an epoch and a step, or nothing', () => {
  expect(parseEventId('abc9-12')).toEqual({ epoch: 'abc9', seq: 12 });
  for (const text of ['', '-1', 'abc-', 'a-b-1', `${'a'.repeat(33)}-1`, 'a-1234567890123456'])
    expect(parseEventId(text)).toBeNull();
});

/** A client as a page is one: a table, and the last id that it has whole. */
class Table {
  readonly #feed: TestFeed;
  readonly stations = new Map<string, StationStatus>();
  #last = '';

  constructor(feed: TestFeed) {
    this.#feed = feed;
  }

  async fetch(): Promise<void> {
    const body = await askJson<{ epoch: string; seq: number; stations: StationStatus[] }>(
      this.#feed.http,
      '/v1/regions/341000/status.json',
    );
    this.stations.clear();
    for (const station of body.stations) this.stations.set(station.id, station);
    this.#last = `${body.epoch}-${body.seq}`;
  }

  /** Follows while `during` happens, and is cut off so that only `share` of what was sent has come. */
  async follow(during: () => Promise<void>, share: number): Promise<void> {
    const follower = await follow(this.#feed.http, `?region=341000&last_event_id=${this.#last}`);
    await follower.nth('hello', 1);
    await during();
    const end = (await this.#mark(follower)) + 1;
    follower.close();
    const text = follower.text.slice(0, Math.ceil(end * share));
    for (const { event, id, data } of parseEvents(text)) {
      if (event === 'reset') await this.fetch();
      for (const station of event === 'patch' ? (data.stations ?? []) : []) this.stations.set(station.id, station);
      if (id !== null && event !== 'reset') this.#last = id;
    }
  }

  /** Everything up to the next beat has come. */
  async #mark(follower: Awaited<ReturnType<typeof follow>>): Promise<number> {
    const beats = follower.events.filter(({ event }) => event === 'beat').length;
    await this.#feed.clock.advance(15_000);
    await follower.nth('beat', beats + 1);
    return follower.text.length;
  }
}

const ids = ['a', 'b', 'c', 'd'];
const happening = fc.record({
  id: fc.constantFrom(...ids),
  free: fc.nat(2),
  afterMs: fc.constantFrom(0, 300, 1000, 1000, 400_000),
});
const round = fc.record({
  meanwhile: fc.array(happening, { minLength: 1, maxLength: 3 }),
  during: fc.array(happening, { maxLength: 3 }),
  percent: fc.nat(100),
  moves: fc.boolean(),
});

test('a client cut off anywhere, as often as may be, ends with the table of status.json', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
      const feed = await startFeed({ stations: ids.map((id) => recordOf(id)) });
      let seq = 0;
      const happen = async (happenings: { id: string; free: number; afterMs: number }[]): Promise<void> => {
        for (const { id, free, afterMs } of happenings) {
          seq += 1;
          feed.say(id, { seq, ports: portsOf(...(['free', 'charging', 'fault'] as const).slice(0, free + 1)) });
          await feed.clock.advance(afterMs);
        }
      };
      const table = new Table(feed);
      await table.fetch();
      for (const [index, { meanwhile, during, percent, moves }] of rounds.entries()) {
        await happen(meanwhile);
        if (moves) await feed.store.updateStation(recordOf('d', { region: index % 2 === 0 ? '370102' : '341002' }));
        feed.board.setRegister(await feed.store.stations());
        await table.follow(() => happen(during), percent / 100);
      }
      await table.follow(async () => {}, 1);
      const { stations } = await askJson<{ stations: StationStatus[] }>(feed.http, '/v1/regions/341000/status.json');
      const byId = (a: StationStatus, b: StationStatus): number => a.id.localeCompare(b.id);
      expect([...table.stations.values()].sort(byId)).toEqual(stations.sort(byId));
    }),
    { numRuns: 40, seed: 7 },
  );
});
