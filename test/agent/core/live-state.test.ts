import { expect, test } from 'vitest';
import { stateSchema } from '../../../protocol/state.ts';
import { boardSource, door, people, port, Station, water } from './station-steps.ts';

const expecting = (...expects: string[]) => new Station({ sources: { 'board-1': { ...boardSource, expects } } });

const envelope = {
  v: 1,
  epoch: 'a'.repeat(32),
  seq: 7,
  at: null,
  nonce: 'n1',
  clock: 'unset',
  reportIntervalS: 30,
  agent: {
    version: '0.1.0',
    uptimeS: 1,
    outboxRows: 0,
    oldestUnackedAt: null,
    diskFreePct: null,
    bytesWrittenToday: null,
  },
};

test('a station without a word is unknown in every part, and has none that it does not know of', () => {
  expect(new Station().live()).toEqual({ door: 'unknown', people: 'unknown', water: [], ports: [], sensors: {} });
});

test('expected sensors are unknown: never free, open or 0', () => {
  const live = expecting('door', 'door-2', 'people', 'water', 'port-1', 'env', 'button').live();
  expect(live).toEqual({
    door: 'unknown',
    otherDoors: [{ sensor: 'door-2', open: 'unknown' }],
    people: 'unknown',
    water: [
      {
        sensor: 'water',
        hot: 'unknown',
        cold: 'unknown',
        tankPct: null,
        hotC: null,
        coldC: null,
        filterPct: null,
        fault: null,
        leak: null,
      },
    ],
    ports: [{ sensor: 'port-1', state: 'unknown', mw: null }],
    env: 'unknown',
    sensors: Object.fromEntries(
      ['button', 'door', 'door-2', 'env', 'people', 'port-1', 'water'].map((sensor) => [sensor, { health: 'unknown' }]),
    ),
  });
});

test('a full state says what every sensor says, and is what the protocol wants', () => {
  const station = new Station()
    .hears(door(true, false))
    .hears(people(0, 0, true))
    .hears(water(0))
    .hears(port(9000));
  station.hears({ kind: 'env', sensor: 'env', tempC: 22.5, smoke: false });
  const live = station.live();
  expect(live).toMatchObject({
    door: { sensor: 'door', open: true, locked: false, alarm: null },
    people: { inside: 1, basis: 'presence', present: true },
    water: [{ sensor: 'water', hot: 'available', cold: 'available', hotC: 90, fault: 0 }],
    ports: [{ sensor: 'port-1', state: 'charging', mw: 9000 }],
    env: { tempC: 22.5, rhPct: null, smoke: false, mains: null },
    sensors: { door: { health: 'ok' }, env: { health: 'ok' } },
  });
  expect(live).not.toHaveProperty('otherDoors');
  expect(stateSchema.parse({ ...envelope, ...live })).toEqual({ ...envelope, ...live });
});

test('everything that fell silent is unknown again', () => {
  const station = new Station().hears(door(true)).hears(people(3, 1)).hears(water(0)).hears(port(9000));
  station.hears({ kind: 'env', sensor: 'env', smoke: false }).at(15).ticks();
  const live = station.live();
  expect(live).toMatchObject({
    door: 'unknown',
    people: 'unknown',
    water: [{ hot: 'unknown', hotC: null }],
    ports: [{ state: 'unknown', mw: null }],
    env: 'unknown',
  });
  expect(Object.values(live.sensors)).toEqual(Array(5).fill({ health: 'silent' }));
  expect(stateSchema.safeParse({ ...envelope, ...live }).success).toBe(true);
});

test('port-2 comes before port-10, whoever spoke first, and door before door-2', () => {
  const station = new Station();
  for (const n of [10, 2, 1, 11, 3]) station.hears(port(0, undefined, `port-${n}`));
  station.hears(door(true, undefined, 'door-2')).hears(door(false));
  const live = station.live();
  expect(live.ports.map(({ sensor }) => sensor)).toEqual(['port-1', 'port-2', 'port-3', 'port-10', 'port-11']);
  expect(live).toMatchObject({ door: { sensor: 'door', open: false }, otherDoors: [{ sensor: 'door-2', open: true }] });
});

test('the first door is unknown although another one is known', () => {
  const station = expecting('door').hears(door(true, undefined, 'door-2'));
  expect(station.live()).toMatchObject({ door: 'unknown', otherDoors: [{ sensor: 'door-2', open: true }] });
});

test('a sensor that says a fault of itself is still shown as it says', () => {
  const station = new Station().hears({ kind: 'port', sensor: 'port-1', mw: 0, fault: 9 });
  expect(station.live()).toMatchObject({
    ports: [{ sensor: 'port-1', state: 'fault', mw: 0 }],
    sensors: { 'port-1': { health: 'fault' } },
  });
});

test('people are known as long as one of several sensors is heard', () => {
  const second = { kind: 'people', sensor: 'people-2', in: 0, out: 0 } as const;
  const station = new Station().hears(people(0, 0)).hears(second).hears(people(2, 0));
  station.at(10).hears(second).at(16).ticks();
  expect(station.live()).toMatchObject({ people: { inside: 2 }, sensors: { people: { health: 'silent' } } });
});
