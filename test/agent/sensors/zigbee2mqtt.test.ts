import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Reading } from '../../../agent/core/reading.ts';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { zigbee2mqttDialect } from '../../../agent/sensors/zigbee2mqtt.ts';
import samples from './samples/zigbee2mqtt.json' with { type: 'json' };
import { parseSample, type Sample, textOf } from './samples.ts';

const devices = {
  'back-door': 'door-2',
  room: 'people-2',
  'hall/fp1': 'people-3',
  'plug-left': 'port-4',
  air: 'env-2',
  tank: 'water-2',
};
const dialect = zigbee2mqttDialect('zigbee2mqtt', devices);
const say = (device: string, payload: unknown, retained = false): DriverEvent[] =>
  dialect.parse(`zigbee2mqtt/${device}`, JSON.stringify(payload), retained);

const reads = (reading: Reading): DriverEvent[] => [{ type: 'reading', board: null, reading }];
const door = (open: boolean) => reads({ kind: 'door', sensor: 'door-2', open });
const people = (sensor: string, present: boolean) => reads({ kind: 'people', sensor, present });
const port = (mw: number, more: object = {}) => reads({ kind: 'port', sensor: 'port-4', mw, ...more });
const nothing = (device: string, sensor: string): DriverEvent[] => [
  { type: 'unknown', what: `${device} says nothing for ${sensor}` },
];
const gone = (sensor: string): DriverEvent[] => [{ type: 'gone', sensor, reason: 'zigbee2mqtt: offline' }];

const told: Record<keyof typeof samples, DriverEvent[]> = {
  'contact shut': door(false),
  'contact open': door(true),
  'contact without a battery yet': door(false),
  occupied: people('people-2', true),
  'no longer occupied': people('people-2', false),
  'not occupied for a minute': nothing('room', 'people-2'),
  'FP1 present': people('people-3', true),
  'FP1 absent': people('people-3', false),
  'FP1 that does not know yet': nothing('hall/fp1', 'people-3'),
  'SP 120 on': port(42_000, { mwh: 6_580_000 }),
  'SP 120 without energy': port(0),
  TS011F: port(11_300, { mwh: 12_050_000 }),
  'plug that only says its state': nothing('plug-left', 'port-4'),
  air: reads({ kind: 'env', sensor: 'env-2', tempC: 27.34, rhPct: 44.72 }),
  leak: reads({ kind: 'env', sensor: 'env-2', flood: true }),
  'offline in words': gone('port-4'),
  'online in words': [],
  'offline in JSON': gone('people-3'),
  'online in JSON': [],
};

test.each(Object.entries<Sample>(samples))('understands: %s', (name, sample) => {
  expect(parseSample(dialect, sample)).toEqual(told[name as keyof typeof samples]);
});

test('a reading that the broker kept is as old as nobody knows: it is not taken', () => {
  for (const sample of Object.values<Sample>(samples)) {
    if (sample.retained) continue;
    expect(dialect.parse(sample.topic, textOf(sample), true)).toEqual([]);
  }
});

test.each<{ what: string; device: string; payload: unknown; events: DriverEvent[] }>([
  {
    what: 'a contact that is no boolean',
    device: 'back-door',
    payload: { contact: 'false' },
    events: nothing('back-door', 'door-2'),
  },
  {
    what: 'occupancy before presence',
    device: 'room',
    payload: { occupancy: false, presence: true },
    events: people('people-2', false),
  },
  {
    what: 'presence where occupancy is null',
    device: 'room',
    payload: { occupancy: null, presence: true },
    events: people('people-2', true),
  },
  {
    what: 'power below 0',
    device: 'plug-left',
    payload: { power: -1, energy: 3 },
    events: nothing('plug-left', 'port-4'),
  },
  {
    what: 'power beyond any plug',
    device: 'plug-left',
    payload: { power: 100_001 },
    events: nothing('plug-left', 'port-4'),
  },
  { what: 'energy that is none', device: 'plug-left', payload: { power: 5.2, energy: -4 }, events: port(5200) },
  {
    what: 'smoke and bad air',
    device: 'air',
    payload: { smoke: true, co2: 1800 },
    events: reads({ kind: 'env', sensor: 'env-2', smoke: true, co2Ppm: 1800 }),
  },
  {
    what: 'air out of every range',
    device: 'air',
    payload: { temperature: 200, humidity: 101, co2: -1 },
    events: nothing('air', 'env-2'),
  },
  {
    what: 'a kind that zigbee2mqtt has no words for',
    device: 'tank',
    payload: { temperature: 90 },
    events: nothing('tank', 'water-2'),
  },
])('$what', ({ device, payload, events }) => {
  expect(say(device, payload)).toEqual(events);
});

test.each<{ what: string; topic: string }>([
  { what: 'another device', topic: 'zigbee2mqtt/lamp' },
  { what: 'a device that is named like a property of every object', topic: 'zigbee2mqtt/constructor' },
  { what: 'a request to a device', topic: 'zigbee2mqtt/back-door/get' },
  { what: 'another base, as long', topic: 'zigbee3mqtt/back-door' },
  { what: 'the base alone', topic: 'zigbee2mqtt' },
])('$what is none of ours', ({ topic }) => {
  expect(dialect.parse(topic, '{"contact":true}', false)).toEqual([]);
});

test('asks for what its devices say, and plugs for their power', () => {
  const { subscriptions, polls } = zigbee2mqttDialect('gw/one', { 'back-door': 'door-2', 'hall/plug': 'port-4' });
  expect(subscriptions).toEqual([
    'gw/one/back-door',
    'gw/one/back-door/availability',
    'gw/one/hall/plug',
    'gw/one/hall/plug/availability',
  ]);
  expect(polls).toEqual([{ topic: 'gw/one/hall/plug/get', payload: '{"power":""}' }]);
});

test('parsing is total: any topic and payload give events, and readings of known sensors alone', () => {
  const known = Object.keys(devices).flatMap((device) => [
    `zigbee2mqtt/${device}`,
    `zigbee2mqtt/${device}/availability`,
  ]);
  const fields = fc.constantFrom('contact', 'occupancy', 'presence', 'power', 'energy', 'temperature', 'smoke', 'co2');
  const payload = fc.oneof(
    fc.string(),
    fc.json(),
    fc.dictionary(fields, fc.jsonValue()).map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom(...known)), payload, fc.boolean(), (topic, text, retained) => {
      for (const event of dialect.parse(topic, text, retained)) {
        if (event.type === 'reading') expect(Object.values(devices)).toContain(event.reading.sensor);
        else expect(['rejected', 'unknown', 'gone']).toContain(event.type);
      }
    }),
  );
});
