import { expect, test } from 'vitest';
import { door, people, plugSource, port, Station, silent, water, well } from './station-steps.ts';

test('a sensor that falls silent is unknown until it speaks again', () => {
  const station = new Station().hears(door(false, true)).hears(port(0));
  station.at(10).hears(port(0)).said();
  expect(station.at(14.9).ticks().said()).toEqual([]);
  expect(station.at(15).ticks().effects()).toEqual([
    { type: 'said', event: { body: silent('door'), transition: true } },
    { type: 'changed' },
  ]);
  expect(station.live()).toMatchObject({ door: 'unknown', ports: [{ state: 'free' }] });
  expect(station.at(16).ticks().said()).toEqual([]);
  station.at(20).hears(door(false, true));
  expect(station.said()).toEqual([well('door'), { kind: 'door', sensor: 'door', open: false, locked: true }]);
});

test('a silent sensor measures nothing', () => {
  const station = new Station().hears(water(0)).hears(water(100)).at(15).ticks();
  station.said();
  expect(station.at(400).ticks().said()).toEqual([]);
});

test('a silent counter no longer backs the people inside', () => {
  const station = new Station().hears(people(0, 0)).hears(people(2, 0));
  expect(station.live().people).toEqual({ inside: 2, basis: 'counted', present: null });
  expect(station.at(15).ticks().live().people).toBe('unknown');
});

test('a wire that only brings garbage is noise, not silence; garbage from before a word does not count', () => {
  const station = new Station().step({ type: 'rejected', source: 'board-1' }).hears(door(true)).hears(port(0));
  station.at(5).step({ type: 'rejected', source: 'board-1' }).hears(port(0)).said();
  station.at(20).ticks();
  expect(station.said()).toEqual([
    { kind: 'sensor', sensor: 'door', health: 'noisy', reason: 'no good word for 15 s while bytes came' },
    silent('port-1'),
  ]);
  expect(station.live().door).toBe('unknown');
});

/** A door that turns every half second from `fromS` on, `turns` times. */
function flap(station: Station, fromS: number, turns: number): Station {
  for (let turn = 0; turn < turns; turn += 1) station.at(fromS + turn / 2).hears(door(turn % 2 === 0));
  return station;
}

test('a door that flaps is noise: said once, unknown, and no more of it', () => {
  const station = flap(new Station(), 0, 40);
  const said = station.said();
  expect(said.filter(({ kind }) => kind === 'door')).toHaveLength(21);
  expect(said.filter(({ kind }) => kind === 'sensor')).toEqual([
    well('door'),
    { kind: 'sensor', sensor: 'door', health: 'noisy', reason: 'turned 21 times in 10 s' },
  ]);
  expect(station.live()).toMatchObject({ door: 'unknown', sensors: { door: { health: 'noisy' } } });
});

test('it is believed again once it kept still, and not while it goes on', () => {
  const station = flap(new Station(), 0, 120);
  station.said();
  for (let at = 60; at < 89.5; at += 5) station.at(at).hears(door(false));
  expect(station.said()).toEqual([]);
  station.at(89.5).hears(door(false));
  expect(station.said()).toEqual([well('door'), { kind: 'door', sensor: 'door', open: false }]);
});

test('a door that moved while only garbage came is believed at its first good word', () => {
  const station = new Station().hears(door(true)).step({ type: 'rejected', source: 'board-1' }).at(15).ticks();
  station.said();
  expect(station.at(16).hears(door(false)).said()).toEqual([
    well('door'),
    { kind: 'door', sensor: 'door', open: false },
  ]);
});

test('a gateway that says its device is gone makes the sensor unknown at once', () => {
  const station = new Station({ sources: { 'tasmota-1': plugSource } });
  const gone = { type: 'gone', sensor: 'port-5', reason: 'tasmota: Offline' } as const;
  station.hears(port(0, undefined, 'port-5'), { source: 'tasmota-1', board: null }).said();
  expect(station.step(gone).said()).toEqual([
    { kind: 'sensor', sensor: 'port-5', health: 'silent', reason: 'tasmota: Offline' },
  ]);
  expect(station.live().ports).toEqual([{ sensor: 'port-5', state: 'unknown', mw: null }]);
  expect(station.step(gone).effects()).toEqual([]);
  expect(station.step({ ...gone, sensor: 'port-6' }).effects()).toEqual([]);
});

test('a fault of its own is said with its code, and what the sensor says is still taken', () => {
  const station = new Station().hears(water(0, { fault: 7 }));
  expect(station.said()).toMatchObject([
    { kind: 'sensor', sensor: 'water', health: 'fault', reason: 'fault code 7' },
    { kind: 'water', fault: 7 },
  ]);
  expect(station.live().water).toMatchObject([{ hot: 'unavailable', tankPct: 80, fault: 7 }]);
});
