import { describe, expect, test } from 'vitest';
import { eventSchema } from '../../protocol/events.ts';
import {
  epochIdSchema,
  instanceIdSchema,
  sensorIdSchema,
  sequenceSchema,
  stationIdSchema,
  tokenSchema,
  unixMsSchema,
  upToSchema,
} from '../../protocol/ids.ts';
import { messageSchemas } from '../../protocol/messages.ts';
import { stateSchema } from '../../protocol/state.ts';
import { acceptedVersions, protocolVersion } from '../../protocol/version.ts';
import { epoch, good } from './messages.ts';

const max = Number.MAX_SAFE_INTEGER;

describe('ids', () => {
  test.each([
    {
      of: 'station',
      schema: stationIdSchema,
      fits: ['a', '0', '-', 'x'.repeat(48)],
      not: ['', 'x'.repeat(49), 'A', 'a_b', 'a/b', 'a\n', '驿', 1],
    },
    {
      of: 'sensor',
      schema: sensorIdSchema,
      fits: ['door', 'port-3', 'x'.repeat(24)],
      not: ['', 'x'.repeat(25), 'Door', 'a b', 'a.b', null],
    },
    {
      of: 'epoch',
      schema: epochIdSchema,
      fits: [epoch, '0'.repeat(32)],
      not: ['', '0'.repeat(31), '0'.repeat(33), 'F'.repeat(32), 'g'.repeat(32)],
    },
    { of: 'instance', schema: instanceIdSchema, fits: [epoch], not: ['0'.repeat(31), 'F'.repeat(32)] },
    {
      of: 'token',
      schema: tokenSchema,
      fits: ['a', 'A_z-9', 'x'.repeat(64)],
      not: ['', 'x'.repeat(65), 'a+b', 'a=', 'a"b', 'a b'],
    },
    { of: 'sequence', schema: sequenceSchema, fits: [1, max], not: [0, -1, 1.5, max + 1, '1', null, Number.NaN] },
    { of: 'upTo', schema: upToSchema, fits: [0, max], not: [-1, 0.5, max + 1, null] },
    { of: 'time', schema: unixMsSchema, fits: [0, 1795399193480], not: [-1, 0.5, max + 1, '0', null] },
  ])('$of', ({ schema, fits, not }) => {
    const accepted = (value: unknown): boolean => schema.safeParse(value).success;
    expect(fits.filter((value) => !accepted(value))).toEqual([]);
    expect((not as unknown[]).filter(accepted)).toEqual([]);
  });
});

test('this version and the one before it are accepted, and 1 has none before it', () => {
  expect(protocolVersion).toBe(1);
  expect(acceptedVersions).toEqual([1]);
});

describe('events', () => {
  const at = 1795399193480;
  const water = { tankPct: 78, hotC: 91, coldC: 9, ml: 240, fault: 0, filterPct: 64 };
  const valid: Readonly<Record<string, Record<string, unknown>>> = {
    door: { kind: 'door', sensor: 'door', open: true },
    people: { kind: 'people', sensor: 'people', in: 1, out: 0, inside: 1, basis: 'counted' },
    water: { kind: 'water', sensor: 'water', ...water },
    port: { kind: 'port', sensor: 'port-1', state: 'free', mw: 0, mwh: 0 },
    env: { kind: 'env', sensor: 'env' },
    sos: { kind: 'sos', sensor: 'button', presses: 1 },
    sensor: { kind: 'sensor', sensor: 'door', health: 'ok', reason: '' },
    agent: { kind: 'agent', sensor: 'agent', what: 'started' },
    gap: { kind: 'gap', sensor: 'agent', from: 1, to: 1, reason: 'trimmed' },
  };
  const takes = (event: object): boolean => eventSchema.safeParse({ at, ...event }).success;

  test.each(Object.keys(valid))('%s is taken with what it must have, and not without any of it', (kind) => {
    const event = valid[kind] ?? {};
    expect(takes(event)).toBe(true);
    expect(eventSchema.safeParse(event).success, 'without at').toBe(false);
    for (const field of Object.keys(event)) expect(takes({ ...event, [field]: undefined }), field).toBe(false);
  });

  test.each<{ kind: string; fields: object }>([
    { kind: 'door', fields: { locked: true, alarm: 'held-open' } },
    { kind: 'door', fields: { alarm: 'forced' } },
    { kind: 'water', fields: { tankPct: null, hotC: null, coldC: null, fault: null, filterPct: null, leak: null } },
    { kind: 'port', fields: { mw: null } },
    { kind: 'env', fields: { tempC: null, rhPct: 48.5, co2Ppm: null, smoke: null, flood: true, mains: false } },
    { kind: 'agent', fields: { detail: { text: 'a', n: 1.5, yes: true, none: null } } },
    { kind: 'gap', fields: { from: 3, to: 900, lost: { people: { in: 3, out: 1 }, water: {} } } },
    { kind: 'sos', fields: { atIs: 'estimated', atMin: 0, atMax: at } },
  ])('$kind may say $fields', ({ kind, fields }) => {
    expect(takes({ ...valid[kind], ...fields })).toBe(true);
  });

  test.each<{ kind: string; fields: object }>([
    { kind: 'door', fields: { open: null } },
    { kind: 'door', fields: { open: 'unknown' } },
    { kind: 'door', fields: { locked: null } },
    { kind: 'door', fields: { alarm: 'fire' } },
    { kind: 'people', fields: { in: -1 } },
    { kind: 'people', fields: { in: null } },
    { kind: 'people', fields: { inside: -1 } },
    { kind: 'people', fields: { inside: 0.5 } },
    { kind: 'people', fields: { basis: 'guessed' } },
    { kind: 'water', fields: { ml: null } },
    { kind: 'water', fields: { ml: -5 } },
    { kind: 'water', fields: { tankPct: '78' } },
    { kind: 'port', fields: { state: 'unknown' } },
    { kind: 'port', fields: { state: null } },
    { kind: 'port', fields: { mwh: -1 } },
    { kind: 'sos', fields: { presses: 1.5 } },
    { kind: 'sensor', fields: { health: 'unknown' } },
    { kind: 'sensor', fields: { reason: 'x'.repeat(201) } },
    { kind: 'agent', fields: { what: 'exploded' } },
    { kind: 'agent', fields: { detail: { nested: {} } } },
    { kind: 'agent', fields: { detail: { text: 'x'.repeat(401) } } },
    { kind: 'gap', fields: { from: 0 } },
    { kind: 'gap', fields: { reason: 'lazy' } },
    { kind: 'gap', fields: { lost: { people: { in: -1 } } } },
    { kind: 'gap', fields: { lost: { 'No Sensor': {} } } },
    { kind: 'sos', fields: { sensor: 'Button' } },
    { kind: 'sos', fields: { at: null } },
    { kind: 'sos', fields: { atIs: 'exact' } },
    { kind: 'sos', fields: { kind: 'fire' } },
  ])('$kind may not say $fields', ({ kind, fields }) => {
    expect(takes({ ...valid[kind], ...fields })).toBe(false);
  });
});

describe('state: what is unknown is said as unknown', () => {
  const takes = (change: object): boolean => stateSchema.safeParse({ ...good.state, ...change }).success;
  const [water] = good.state.water;
  const [port] = good.state.ports;
  const door = good.state.door === 'unknown' ? {} : good.state.door;

  test.each<{ change: object }>([
    { change: { door: 'unknown', people: 'unknown', water: [], ports: [], env: 'unknown', sensors: {} } },
    { change: { otherDoors: [{ sensor: 'door-2', open: 'unknown' }] } },
    { change: { otherDoors: [{ ...door, sensor: 'door-2' }] } },
    { change: { ports: [{ ...port, state: 'unknown', mw: null }] } },
    { change: { water: [{ ...water, hot: 'unknown', cold: 'unknown', tankPct: null, hotC: null, coldC: null }] } },
    { change: { water: [{ ...water, filterPct: null, fault: null, leak: null }] } },
    { change: { door: { ...door, locked: null } } },
    { change: { people: { inside: 0, basis: 'counted', present: null } } },
    { change: { sensors: { door: { health: 'unknown' } } } },
    { change: { seq: 0, at: null, clock: 'unset', beat: undefined, capacity: undefined, env: undefined } },
    { change: { agent: { ...good.state.agent, diskFreePct: null, bytesWrittenToday: null, storage: undefined } } },
  ])('takes $change', ({ change }) => {
    expect(takes(change)).toBe(true);
  });

  test.each<{ change: object }>([
    { change: { door: null } },
    { change: { door: undefined } },
    { change: { door: { ...door, open: null } } },
    { change: { door: { ...door, open: 'unknown' } } },
    { change: { people: null } },
    { change: { people: { inside: null, basis: 'counted', present: null } } },
    { change: { people: { inside: -1, basis: 'counted', present: null } } },
    { change: { ports: [{ ...port, state: null }] } },
    { change: { ports: [{ ...port, state: undefined }] } },
    { change: { ports: 'unknown' } },
    { change: { water: [{ ...water, hot: null }] } },
    { change: { water: [{ ...water, hot: true }] } },
    { change: { water: [{ ...water, tankPct: undefined }] } },
    { change: { sensors: { door: { health: null } } } },
    { change: { beat: false } },
    { change: { at: 0.5 } },
    { change: { clock: 'maybe' } },
    { change: { reportIntervalS: 0 } },
    { change: { reportIntervalS: 3601 } },
    { change: { capacity: 0 } },
    { change: { ports: Array.from({ length: 65 }, () => port) } },
    { change: { water: Array.from({ length: 17 }, () => water) } },
  ])('refuses $change', ({ change }) => {
    expect(takes(change)).toBe(false);
  });
});

test.each([
  { channel: 'hello', field: 'epochs', item: good.hello.epochs[0], least: 1, most: 64 },
  { channel: 'welcome', field: 'epochs', item: good.welcome.epochs[0], least: 0, most: 64 },
  { channel: 'events', field: 'events', item: null, least: 1, most: 200 },
] as const)('$channel has $least to $most $field', ({ channel, field, item, least, most }) => {
  const takes = (length: number): boolean =>
    messageSchemas[channel].safeParse({ ...good[channel], [field]: Array.from({ length }, () => item) }).success;
  expect([least - 1, least, most, most + 1].map((length) => length >= 0 && takes(length))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test('a command without arguments has none', () => {
  const { args: _args, ...bare } = good.commands;
  expect(messageSchemas.commands.parse(bare)).toEqual({ ...bare, args: {} });
});
