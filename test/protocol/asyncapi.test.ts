import { Parser } from '@asyncapi/parser';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { asyncApiDocument } from '../../protocol/asyncapi.ts';
import type { Channel } from '../../protocol/topics.ts';
import { channels, good } from './messages.ts';

const { document, diagnostics } = await new Parser().parse(JSON.stringify(asyncApiDocument()));

/** Whether the document's JSON Schema of a channel takes a message. */
function takes(channel: Channel, message: unknown): boolean {
  const payload = document?.channels().get(channel)?.messages().get(channel)?.payload()?.json();
  return z.fromJSONSchema(payload as z.core.JSONSchema.JSONSchema).safeParse(message).success;
}

test('is a valid AsyncAPI 3 document, without a warning', () => {
  expect(diagnostics).toEqual([]);
  expect(document?.version()).toBe('3.1.0');
});

test('would not be, were it wrong', async () => {
  const wrong = { ...asyncApiDocument(), operations: { 'send-mood': { action: 'send', channel: { $ref: '#/mood' } } } };
  expect((await new Parser().parse(JSON.stringify(wrong))).diagnostics).not.toEqual([]);
});

test.each<{ channel: Channel; action: string; retain: boolean }>([
  { channel: 'presence', action: 'send', retain: true },
  { channel: 'hello', action: 'send', retain: false },
  { channel: 'state', action: 'send', retain: true },
  { channel: 'events', action: 'send', retain: false },
  { channel: 'replies', action: 'send', retain: false },
  { channel: 'welcome', action: 'receive', retain: false },
  { channel: 'reset', action: 'receive', retain: false },
  { channel: 'ack', action: 'receive', retain: false },
  { channel: 'config', action: 'receive', retain: true },
  { channel: 'commands', action: 'receive', retain: false },
])('a station does $action $channel with QoS 1, retained: $retain', ({ channel, action, retain }) => {
  const operation = document?.operations().get(`${action}-${channel}`);
  expect(operation?.action()).toBe(action);
  expect(
    operation
      ?.channels()
      .all()
      .map((of) => of.address()),
  ).toEqual([`stations/{stationId}/${channel}`]);
  expect(operation?.bindings().get('mqtt')?.value()).toMatchObject({ qos: 1, retain });
  expect(operation?.messages().all()).toHaveLength(1);
});

test('has these channels and operations, and no others', () => {
  expect(document?.channels().all()).toHaveLength(10);
  expect(document?.operations().all()).toHaveLength(10);
});

describe('its schemas', () => {
  test.each(channels)('take a good message of %s, with a field of the next version in it', (channel) => {
    expect(takes(channel, { ...good[channel], mood: 'fine' })).toBe(true);
  });

  test.each(channels)('ask %s for its version', (channel) => {
    const { v: _v, ...rest } = good[channel];
    expect(takes(channel, rest)).toBe(false);
  });

  const [event] = good.events.events;
  test.each<{ channel: Channel; change: object }>([
    { channel: 'presence', change: { online: 'yes' } },
    { channel: 'hello', change: { epochs: [] } },
    { channel: 'hello', change: { instance: 'ABC' } },
    { channel: 'welcome', change: { now: 1.5 } },
    { channel: 'reset', change: { session: 'a b' } },
    { channel: 'state', change: { door: null } },
    { channel: 'state', change: { people: { inside: null, basis: 'counted', present: null } } },
    { channel: 'state', change: { ports: [{ sensor: 'port-1', state: null, mw: null }] } },
    { channel: 'events', change: { events: [] } },
    { channel: 'events', change: { events: Array.from({ length: 201 }, () => event) } },
    { channel: 'events', change: { events: [{ ...Object(event), kind: 'fire' }] } },
    { channel: 'events', change: { events: [{ ...Object(event), at: -1 }] } },
    { channel: 'ack', change: { upTo: -1 } },
    { channel: 'config', change: { body: [] } },
    { channel: 'commands', change: { name: '' } },
    { channel: 'replies', change: { ok: 1 } },
  ])('refuse $channel with $change', ({ channel, change }) => {
    expect(takes(channel, { ...good[channel], ...change })).toBe(false);
  });
});
