import { expect, test } from 'vitest';
import type { Reading } from '../../../agent/core/reading.ts';
import { doorView } from '../../../agent/core/station-core.ts';
import { boardSource, config, door, people, port, Station, silent, water, well } from './station-steps.ts';

const expecting = (...expects: string[]) => ({ sources: { 'board-1': { ...boardSource, expects } } });

test('a sensor that is expected is there and unknown before it speaks', () => {
  const station = new Station(expecting('door', 'port-1', 'board', 'nonsense'));
  expect(station.live()).toMatchObject({ door: 'unknown', ports: [{ sensor: 'port-1', state: 'unknown', mw: null }] });
  expect(station.live().sensors).toEqual({ door: { health: 'unknown' }, 'port-1': { health: 'unknown' } });
  expect(station.at(14.9).ticks().said()).toEqual([]);
  expect(station.at(15).ticks().said()).toEqual([silent('door'), silent('port-1')]);
});

test('a first word says that the sensor is well, and what it says; the live state changed', () => {
  const effects = new Station().hears(door(false)).effects();
  expect(effects).toEqual([
    { type: 'said', event: { body: well('door'), transition: true } },
    { type: 'changed' },
    { type: 'said', event: { body: { kind: 'door', sensor: 'door', open: false }, transition: true } },
    { type: 'changed' },
  ]);
});

test.each<{ what: string; refuse: (station: Station) => Station; why: string; sensor: string }>([
  {
    what: 'one sensor more than the bound, expected ones counted',
    refuse: (station) =>
      station
        .hears(door(false))
        .hears(port(0))
        .hears(port(0, 0, 'port-2')),
    why: 'too-many',
    sensor: 'port-2',
  },
  {
    what: 'a sensor of another driver',
    refuse: (station) => station.hears(door(false)).hears(door(true), { source: 'board-2', board: 'board-2/B1' }),
    why: 'other-source',
    sensor: 'door',
  },
  {
    what: 'a door that is named like a port',
    refuse: (station) => station.hears({ ...door(true), sensor: 'port-9' }),
    why: 'unknown-kind',
    sensor: 'port-9',
  },
  {
    what: 'people who are named like an expected sensor of another kind',
    refuse: (station) => station.hears({ ...people(0, 0), sensor: 'env' }),
    why: 'unknown-kind',
    sensor: 'env',
  },
  {
    what: 'a name without a kind',
    refuse: (station) => station.hears({ ...door(true), sensor: 'lamp' }),
    why: 'unknown-kind',
    sensor: 'lamp',
  },
])('refuses $what', ({ refuse, why, sensor }) => {
  const sources = { 'board-1': { ...boardSource, expects: ['env'] }, 'board-2': boardSource };
  const station = new Station({ sources, config: { maxSensors: 3 } });
  const effects = refuse(station).effects();
  const source = why === 'other-source' ? 'board-2' : 'board-1';
  expect(effects.at(-1)).toEqual({ type: 'refused-sensor', sensor, source, why });
  expect(station.live()).toMatchObject({ people: 'unknown', env: 'unknown' });
});

test('a known sensor is heard however many there are', () => {
  const station = new Station({ config: { maxSensors: 1 } }).hears(door(false));
  station.said();
  expect(station.hears(door(true)).said()).toEqual([{ kind: 'door', sensor: 'door', open: true }]);
});

test('a door that is held open raises its alarm by the tick, once, and the live state shows it', () => {
  const station = new Station({ sources: { 'board-1': { ...boardSource, silentAfterMs: 1e9 } } }).hears(door(true));
  station.said();
  station.at(300).ticks().ticks();
  expect(station.effects()).toEqual([
    {
      type: 'said',
      event: { body: { kind: 'door', sensor: 'door', open: true, alarm: 'held-open' }, transition: true },
    },
    { type: 'changed' },
  ]);
  expect(station.live().door).toMatchObject({ alarm: 'held-open' });
});

test('power alone waits for the report, a port that turns does not', () => {
  const station = new Station().hears(port(9000));
  station.effects();
  expect(station.at(1).hears(port(12_000)).effects()).toEqual([]);
  expect(station.at(2).hears(port(0)).effects()).toEqual([]);
  expect(station.at(7).ticks().effects()).toMatchObject([{ event: { body: { state: 'free' } } }, { type: 'changed' }]);
});

test.each<{ what: string; hears: Reading; changes: boolean }>([
  { what: 'smoke', hears: { kind: 'env', sensor: 'env', smoke: true }, changes: true },
  { what: 'warmer air', hears: { kind: 'env', sensor: 'env', smoke: false, tempC: 30 }, changes: false },
  { what: 'the end of hot water', hears: water(0, { hotC: 20 }), changes: true },
  { what: 'the end of cold water', hears: water(0, { coldC: 50 }), changes: true },
  { what: 'a cup', hears: water(200), changes: false },
  { what: 'a visit', hears: people(1, 0), changes: true },
  { what: 'nobody', hears: people(0, 0), changes: false },
])('$what is to be reported at once: $changes', ({ hears, changes }) => {
  const station = new Station().hears({ kind: 'env', sensor: 'env', smoke: false }).hears(water(0)).hears(people(0, 0));
  station.effects();
  expect(
    station
      .at(1)
      .hears(hears)
      .effects()
      .some(({ type }) => type === 'changed'),
  ).toBe(changes);
});

test('the people heal by the tick, by the doors that the station has', () => {
  const station = new Station()
    .hears(door(false))
    .hears(people(0, 0))
    .hears(people(2, 0, false));
  for (let at = 5; at < 600; at += 5)
    station
      .at(at)
      .hears(door(false))
      .hears(people(2, 0, false))
      .ticks();
  station.told();
  station.at(600).ticks();
  expect(station.told()).toMatchObject([{ kind: 'people', inside: 0, basis: 'presence' }]);
});

test('the quiet hour empties what drifted, and lets those be who are there', () => {
  const station = new Station().hears(door(false)).hears(people(0, 0)).hears(people(2, 0));
  station.said();
  expect(station.at(60).step({ type: 'quiet-hour' }).effects()).toEqual([]);
  expect(station.at(1800).step({ type: 'quiet-hour' }).effects()).toEqual([
    {
      type: 'said',
      event: {
        body: { kind: 'people', sensor: 'people', in: 0, out: 0, inside: 0, basis: 'quiet-hour' },
        transition: true,
      },
    },
    { type: 'changed' },
  ]);
});

test('the last of several doors counts for the people, and one that is unknown leaves all unknown', () => {
  const station = new Station(expecting('door', 'door-2'));
  expect(doorView(new Station().core)).toBeNull();
  station.at(1).hears(door(false));
  expect(doorView(station.core)).toBeNull();
  station.at(2).hears(door(false, undefined, 'door-2'));
  expect(doorView(station.core)).toEqual({ open: false, sinceMs: 2000 });
  station.at(3).hears(door(true));
  expect(doorView(station.core)).toEqual({ open: true, sinceMs: 3000 });
});

test('a flush says everything that was counted and not said, once', () => {
  const station = new Station().hears(water(1000)).hears(port(9000, 50));
  station.hears(water(1240)).hears(port(9000, 62)).said();
  expect(station.at(5).flush().said()).toMatchObject([
    { kind: 'water', ml: 240 },
    { kind: 'port', mwh: 12 },
  ]);
  expect(station.flush().said()).toEqual([]);
});

test('a disk that is full stops measurements, not turns; nothing that was counted is lost', () => {
  const never = Number.POSITIVE_INFINITY;
  const full = { water: { ...config.water, measureEveryMs: never }, port: { ...config.port, measureEveryMs: never } };
  const station = new Station({ config: full }).hears(water(0)).hears(port(9000, 0));
  station.said();
  station.at(10).hears(port(9000, 30)).at(86_400).hears(water(900)).hears(port(9000, 500)).ticks();
  expect(station.told()).toEqual([]);
  station.hears({ kind: 'port', sensor: 'port-1', mw: 9000, mwh: 510, fault: 3 });
  expect(station.told()).toMatchObject([{ kind: 'port', state: 'fault', mwh: 510 }]);
});
