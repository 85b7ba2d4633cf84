import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { tasmotaDialect } from '../../../agent/sensors/tasmota.ts';
import samples from './samples/tasmota.json' with { type: 'json' };
import { parseSample, type Sample, textOf } from './samples.ts';

const devices = { 'plug-1': 'port-5', 'strip#1': 'port-6', 'strip#2': 'port-7' };
const dialect = tasmotaDialect(devices);

const port = (sensor: string, mw: number, mwh?: number): DriverEvent => ({
  type: 'reading',
  board: null,
  reading: { kind: 'port', sensor, mw, ...(mwh === undefined ? {} : { mwh }) },
});
const nothing = (device: string, sensor: string): DriverEvent => ({
  type: 'unknown',
  what: `${device} says no ENERGY for ${sensor}`,
});
const gone = (sensor: string): DriverEvent => ({ type: 'gone', sensor, reason: 'tasmota: Offline' });

const told: Record<keyof typeof samples, DriverEvent[]> = {
  plug: [port('port-5', 11_000, 15_350_000)],
  'plug of an early version': [port('port-5', 0, 52_000)],
  asked: [port('port-5', 12_000, 15_351_000)],
  // What each of them took of the common total is not told.
  'two outlets': [port('port-6', 7000), port('port-7', 0)],
  'two outlets, totals split': [port('port-6', 7000, 14_202_000), port('port-7', 24_000, 3_500_000)],
  tariffs: [port('port-5', 759_000, 290_000)],
  'no meter': [nothing('plug-1', 'port-5')],
  state: [],
  away: [gone('port-6'), gone('port-7')],
  here: [],
};

test.each(Object.entries<Sample>(samples))('understands: %s', (name, sample) => {
  expect(parseSample(dialect, sample)).toEqual(told[name as keyof typeof samples]);
});

test('a plug with several outlets that is one port delivers their sum', () => {
  const whole = tasmotaDialect({ strip: 'port-6' });
  expect(parseSample(whole, samples['two outlets'])).toEqual([port('port-6', 7000, 14_202_000)]);
  expect(parseSample(whole, samples['two outlets, totals split'])).toEqual([port('port-6', 31_000, 17_702_000)]);
});

test('the only outlet of a plug is its first, and an outlet that it has not says nothing', () => {
  const outlets = tasmotaDialect({ 'plug-1#1': 'port-5', 'plug-1#2': 'port-6', 'strip#3': 'port-7' });
  expect(parseSample(outlets, samples.plug)).toEqual([
    port('port-5', 11_000, 15_350_000),
    nothing('plug-1#2', 'port-6'),
  ]);
  expect(parseSample(outlets, samples['two outlets'])).toEqual([nothing('strip#3', 'port-7')]);
});

test('a reading that the broker kept is as old as nobody knows: it is not taken', () => {
  for (const sample of Object.values<Sample>(samples)) {
    if (!sample.retained) expect(dialect.parse(sample.topic, textOf(sample), true)).toEqual([]);
  }
});

const energy = (value: unknown): DriverEvent[] =>
  dialect.parse('tele/plug-1/SENSOR', JSON.stringify({ ENERGY: value }), false);

test.each<{ what: string; value: unknown; events: DriverEvent[] }>([
  { what: 'power without a total', value: { Power: 5.5 }, events: [port('port-5', 5500)] },
  { what: 'a total that is none', value: { Power: 5, Total: '15.3' }, events: [port('port-5', 5000)] },
  { what: 'power below 0', value: { Power: -3, Total: 1 }, events: [nothing('plug-1', 'port-5')] },
  { what: 'power beyond any plug', value: { Power: 100_001 }, events: [nothing('plug-1', 'port-5')] },
  { what: 'power that is text', value: { Power: '5' }, events: [nothing('plug-1', 'port-5')] },
  {
    what: 'an outlet among several that is no number',
    value: { Power: [5, null] },
    events: [nothing('plug-1', 'port-5')],
  },
  { what: 'no outlet at all', value: { Power: [] }, events: [nothing('plug-1', 'port-5')] },
  { what: 'no object', value: 7, events: [nothing('plug-1', 'port-5')] },
])('$what', ({ value, events }) => {
  expect(energy(value)).toEqual(events);
});

test('a will that is neither word says nothing', () => {
  expect(dialect.parse('tele/strip/LWT', '', true)).toEqual([]);
});

test('tells text that is no JSON once, however many outlets it would be of', () => {
  expect(dialect.parse('tele/strip/SENSOR', '{"ENERGY":', false)).toEqual([
    { type: 'rejected', cause: 'json', detail: 'tele/strip/SENSOR: {"ENERGY":' },
  ]);
});

test.each([
  'tele/lamp/SENSOR',
  'tele/constructor/SENSOR',
  'stat/plug-1/RESULT',
  'cmnd/plug-1/Status',
  'tele/plug-1',
  '',
])('%s is none of ours', (topic) => {
  expect(dialect.parse(topic, '{"ENERGY":{"Power":5}}', false)).toEqual([]);
});

test('asks every plug once, and listens to its telemetry, its answers and its will', () => {
  const { subscriptions, polls } = tasmotaDialect({ 'strip#1': 'port-6', 'strip#2': 'port-7', 'up/plug': 'port-5' });
  expect(subscriptions).toEqual([
    'tele/strip/SENSOR',
    'tele/strip/LWT',
    'stat/strip/STATUS10',
    'tele/up/plug/SENSOR',
    'tele/up/plug/LWT',
    'stat/up/plug/STATUS10',
  ]);
  expect(polls).toEqual([
    { topic: 'cmnd/strip/Status', payload: '10' },
    { topic: 'cmnd/up/plug/Status', payload: '10' },
  ]);
});

test('parsing is total: any topic and payload give events, and readings of known sensors alone', () => {
  const topic = fc.constantFrom('tele/plug-1/SENSOR', 'stat/strip/STATUS10', 'tele/strip/LWT', 'tele/strip/SENSOR');
  const value = fc.record({ Power: fc.jsonValue(), Total: fc.jsonValue() }, { requiredKeys: [] });
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    value.map((ENERGY) => JSON.stringify({ ENERGY, StatusSNS: { ENERGY } })),
  );
  fc.assert(
    fc.property(fc.oneof(topic, fc.string()), text, fc.boolean(), (at, payload, retained) => {
      for (const event of dialect.parse(at, payload, retained)) {
        if (event.type === 'reading') expect(Object.values(devices)).toContain(event.reading.sensor);
        else expect(['rejected', 'unknown', 'gone']).toContain(event.type);
      }
    }),
  );
});
