import { expect, test } from 'vitest';
import type { StationEvent } from '../../../protocol/events.ts';
import type { StationState } from '../../../protocol/state.ts';
import { startTestCloud } from '../../support/cloud.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ask } from '../../support/http.ts';
import { connectStation, type MqttStation } from '../../support/mqtt-station.ts';
import { type Follower, follow, type StationStatus } from '../../support/sse.ts';
import { portsOf, recordOf, said, waterOf } from '../../support/station-words.ts';
import { waitFor } from '../../support/wait.ts';

const startsAt = Date.UTC(2026, 10, 22, 16, 50, 7, 500);
const minute = 60_000;
const slotMs = 20 * minute;

/**
 * One night of a station, by minutes from 0:50:07.5 in Shanghai: what its one visitor does. The second
 * time the door opens just before the hour, and then just before a regular report.
 */
const visits = [
  { in: 12.4, out: 14 },
  { in: 69.8, out: 71.995 },
  { in: 133, out: 140 },
];
const nightMin = 155;

/** The next thing of the night, and what happens at it. */
type Turn = { atMs: number; happen: (nobody: World, one: World) => Promise<void> };

const visitor = { inside: 0, doorOpen: false };

/** The door opens, somebody passes, the door shuts: each is an event and a state of its own. */
const walks: Turn[] = visits.flatMap((visit) =>
  (['in', 'out'] as const).flatMap((way) => {
    const at = startsAt + Math.round(visit[way] * minute);
    const [before, after] = way === 'in' ? [0, 1] : [1, 0];
    const step = (atMs: number, event: StationEvent, inside: number, doorOpen: boolean): Turn => ({
      atMs,
      async happen(_nobody, one) {
        Object.assign(visitor, { inside, doorOpen });
        for (const station of one.stations) {
          await station.events([event]);
          await station.state({ ...machines(atMs), ...seen(), beat: undefined });
        }
      },
    });
    return [
      step(at, said.door(at, true), before, true),
      step(at + 2000, said.people(at + 2000, after, before, after), after, true),
      step(at + 6000, said.door(at + 6000, false), after, false),
    ];
  }),
);

const seen = (): Partial<StationState> & { inside: number } => ({
  inside: visitor.inside,
  door: { sensor: 'door', open: visitor.doorOpen, locked: null, alarm: null },
});

type World = { http: string; stations: MqttStation[]; follower: Follower; texts: string[] };

const charges = { fromMs: startsAt + 60 * minute, toMs: startsAt + 80 * minute };

/** Both stations have ports and water, and a port that charges for a while whoever is there. */
const machines = (nowMs: number): Partial<StationState> => ({
  reportIntervalS: 60,
  ports: portsOf('free', nowMs >= charges.fromMs && nowMs < charges.toMs ? 'charging' : 'free'),
  water: waterOf(),
});

const machineEvents = (nowMs: number): StationEvent[] => [
  ...(nowMs === charges.fromMs ? [said.port(nowMs, 'charging', 0, 'port-2')] : []),
  ...(nowMs === charges.toMs ? [said.port(nowMs, 'free', 5000, 'port-2'), said.water(nowMs, 400)] : []),
];

/** Nobody touches the register in this night: looking for it would be most of the test's time. */
const calm = { watchS: 3600, commandsS: 3600 };

/** One seat and two: there a single person would tell most. */
async function startWorld(clock: FakeClock): Promise<World> {
  const seats = { a: 1, b: 2 };
  const records = Object.entries(seats).map(([id, capacity]) => recordOf(id, { capacity }));
  const { http, mqttPort } = await startTestCloud({ clock, stations: records, newToken: () => 'same', config: calm });
  const stations = await Promise.all(Object.keys(seats).map((id) => connectStation({ port: mqttPort, id })));
  const now = clock.wallMs();
  for (const station of stations) {
    await station.hello();
    await station.events([
      said.people(now, 0, 0, 0),
      said.port(now, 'free'),
      said.water(now, 0),
      said.door(now, false),
    ]);
  }
  return { http, stations, follower: await follow(http, '?region=341002'), texts: [] };
}

const histories = ['a', 'b'].flatMap((id) =>
  ['port_minutes', 'energy_wh', 'litres'].map((metric) => `/v1/stations/${id}/history?format=csv&metric=${metric}`),
);

/** Everything that the public can read at this moment. */
async function look({ http, texts }: World): Promise<void> {
  for (const path of ['/v1/regions/341002/status.json', '/v1/summary.json', ...histories])
    texts.push(`${path} ${(await ask(http, path)).text}`);
}

/** Without `last_used` itself, and without the step in which it alone turned. */
function withoutUse(text: string): string {
  return text.replaceAll(/"last_used":("\w+"|null)|"seq":\d+|"evaluated_at":"[^"]+"/g, '…');
}

/** What followers heard and when, but for patches that tell of `last_used` alone. */
function told({ follower }: World): string[] {
  let last = '';
  return follower.events.flatMap(({ event, data }) => {
    const text = withoutUse(JSON.stringify(data.stations ?? data));
    if (event === 'patch' && text === last) return [];
    if (event === 'patch') last = text;
    return [`${event} ${data.evaluated_at ?? ''} ${text}`];
  });
}

/** When `last_used` turned, by the steps of the feed. */
function uses({ follower }: World): { at: number; to: unknown }[] {
  let last: unknown = null;
  return follower.events.flatMap(({ event, data }) => {
    const status: StationStatus | undefined = event === 'patch' ? data.stations?.[0] : undefined;
    if (!status || status['last_used'] === last) return [];
    last = status['last_used'];
    return [{ at: Date.parse(data.evaluated_at ?? ''), to: last }];
  });
}

const everyMin = (from: number, step: number): number[] =>
  Array.from(
    { length: Math.ceil((nightMin - from) / step) },
    (_, index) => startsAt + Math.round((from + index * step) * minute),
  );

const turns: Turn[] = [
  ...walks,
  ...everyMin(0, 1).map((atMs) => ({
    atMs,
    async happen(nobody: World, one: World) {
      for (const [world, more] of [
        [nobody, {}],
        [one, seen()],
      ] as const) {
        for (const station of world.stations) {
          const events = machineEvents(atMs);
          if (events.length > 0) await station.events(events);
          await station.state({ ...machines(atMs), ...more });
        }
      }
    },
  })),
  // Before and after the regular reports, some of them just after the hour.
  ...[10 - 5 / 60, 10 + 5 / 60]
    .flatMap((from) => everyMin(from, 10))
    .map((atMs) => ({
      atMs,
      async happen(nobody: World, one: World) {
        for (const world of [nobody, one]) await look(world);
      },
    })),
].sort((a, b) => a.atMs - b.atMs);

test('one person’s night and nobody’s look the same outside', { timeout: 60_000 }, async () => {
  const clock = new FakeClock(startsAt);
  const [nobody, one] = [await startWorld(clock), await startWorld(clock)];
  for (const { atMs, happen } of turns) {
    await clock.advance(atMs - clock.wallMs());
    await happen(nobody, one);
  }
  await clock.advance(startsAt + nightMin * minute - clock.wallMs());
  const beats = ({ follower }: World): number => follower.events.filter(({ event }) => event === 'beat').length;
  await waitFor('the last beats', () => Math.min(beats(nobody), beats(one)) === nightMin * 4);

  expect(one.texts).toHaveLength(30 * 8);
  expect(one.texts.map(withoutUse)).toEqual(nobody.texts.map(withoutUse));
  expect(told(one)).toEqual(told(nobody));
  expect(told(one).some((text) => text.includes('"in_use":1'))).toBe(true);
  expect(one.texts.some((text) => text.includes('\n2026-11-22T18:00:00Z,10.125\r'))).toBe(true);

  expect(uses(nobody)).toEqual([]);
  expect(uses(one).map(({ to }) => to)).toEqual(['within_hour', 'today', 'within_hour']);
  // By the slots of twenty minutes of the whole day, never by the door; the feed's second is its own.
  for (const { at } of uses(one)) expect(at % slotMs).toBeLessThan(2000);
});
