import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, encodeBatch, encodeEventBody, eventJson, sequenceEvents } from '../../protocol/codec.ts';
import { deep, deepened, epoch } from './messages.ts';

const at = 1795399193480;
const sos = (presses = 1) => ({ at, kind: 'sos', sensor: 'button', presses });
const gap = (from: number, to: number, more: object = {}) => ({
  at,
  kind: 'gap',
  sensor: 'agent',
  from,
  to,
  reason: 'trimmed',
  ...more,
});
const poison = { at, kind: 'door', sensor: 'door', open: 'unknown' };

/** `3` for an event, `3-7` for a gap, `3!` for one that is not valid. */
const numbers = (first: number, ...events: unknown[]): string[] =>
  sequenceEvents({ first, events }).map((event) => {
    const range = event.first === event.last ? `${event.first}` : `${event.first}-${event.last}`;
    return event.valid ? range : `${range}!`;
  });

test.each<{ what: string; first: number; events: unknown[]; numbers: string[] }>([
  { what: 'one event has the number of the batch', first: 1, events: [sos()], numbers: ['1'] },
  { what: 'events count on', first: 41, events: [sos(), sos(), sos()], numbers: ['41', '42', '43'] },
  { what: 'a gap at the start', first: 5, events: [gap(5, 9), sos()], numbers: ['5-9', '10'] },
  { what: 'a gap in the middle', first: 5, events: [sos(), gap(6, 6), sos()], numbers: ['5', '6', '7'] },
  { what: 'a gap at the end', first: 5, events: [sos(), gap(6, 900)], numbers: ['5', '6-900'] },
  {
    what: 'gap after gap',
    first: 1,
    events: [gap(1, 3), gap(4, 4), gap(5, 8), sos()],
    numbers: ['1-3', '4', '5-8', '9'],
  },
  { what: 'a gap from too low', first: 5, events: [sos(), gap(5, 9), sos()], numbers: ['5', '6!', '7'] },
  { what: 'a gap from too high', first: 5, events: [gap(6, 9), sos()], numbers: ['5!', '6'] },
  {
    what: 'a gap that overlaps the one before it',
    first: 1,
    events: [gap(1, 4), gap(4, 6), sos()],
    numbers: ['1-4', '5!', '6'],
  },
  { what: 'a gap that ends before it begins', first: 5, events: [gap(5, 4), sos()], numbers: ['5!', '6'] },
  {
    what: 'a gap whose reason is unknown',
    first: 5,
    events: [gap(5, 9, { reason: 'lazy' }), sos()],
    numbers: ['5!', '6'],
  },
  { what: 'poison among good ones', first: 2, events: [sos(), poison, sos()], numbers: ['2', '3!', '4'] },
  { what: 'nothing but poison', first: 2, events: [null, 7, 'x', [], {}], numbers: ['2!', '3!', '4!', '5!', '6!'] },
  { what: 'a gap after poison', first: 2, events: [poison, gap(3, 9), sos()], numbers: ['2!', '3-9', '10'] },
  { what: 'the end of all numbers', first: 9007199254740991, events: [sos()], numbers: ['9007199254740991'] },
])('numbers $what', ({ first, events, numbers: expected }) => {
  expect(numbers(first, ...events)).toEqual(expected);
});

describe('an event that is not valid', () => {
  test('keeps its bytes and says where it is wrong', () => {
    expect(sequenceEvents({ first: 3, events: [{ ...poison, note: 'é' }] })).toEqual([
      {
        valid: false,
        first: 3,
        last: 3,
        json: `{"at":${at},"kind":"door","sensor":"door","open":"unknown","note":"é"}`,
        reason: expect.stringMatching(/^open: .*boolean/),
      },
    ]);
  });

  test('that is a gap elsewhere says where it should be', () => {
    expect(sequenceEvents({ first: 3, events: [gap(4, 5)] })).toMatchObject([
      { valid: false, reason: 'gap: expected from 3 and to not below it, found 4…5' },
    ]);
  });

  test.each([
    { what: 'in a field that nobody knows', event: { ...sos(), more: deep } },
    { what: 'as a whole', event: deep },
    { what: 'in a detail', event: { at, kind: 'agent', sensor: 'agent', what: 'started', detail: { deep } } },
  ])('because it is nested too deeply $what holds nobody up', ({ event }) => {
    const batch = { v: 1, session: 's', epoch, first: 3, events: [sos(), event, sos()] };
    const decoded = decode('events', deepened(batch, 30_000));
    if (!decoded.ok) throw new Error(decoded.detail);
    expect(numbers(3, ...decoded.message.events)).toEqual(['3', '4!', '5']);
    expect(sequenceEvents(decoded.message)[1]).toMatchObject({ json: 'null', reason: 'expected at most 32 levels' });
  });

  test('has a short reason, however long its names are', () => {
    const event = { at, kind: 'agent', sensor: 'agent', what: 'started', detail: { ['x'.repeat(30_000)]: 1 } };
    const [sequenced] = sequenceEvents({ first: 1, events: [event] });
    expect(sequenced?.valid === false ? sequenced.reason.length : 0).toBeLessThanOrEqual(200);
  });
});

test('a valid event keeps the bytes with what this version does not know, and is read without it', () => {
  const raw = { at, kind: 'sos', sensor: 'button', presses: 2, colour: 'red', 'by-the-way': [1] };
  expect(sequenceEvents({ first: 1, events: [raw] })).toEqual([
    {
      valid: true,
      first: 1,
      last: 1,
      event: { at, kind: 'sos', sensor: 'button', presses: 2 },
      json: JSON.stringify(raw),
    },
  ]);
});

test('a gap keeps the sums of what is lost, by sensor', () => {
  const lost = { people: { in: 3, out: 2 }, 'port-1': { mwh: 900 }, water: { ml: 250 }, button: { presses: 1 } };
  expect(sequenceEvents({ first: 1, events: [gap(1, 9, { lost })] })).toMatchObject([{ valid: true, event: { lost } }]);
});

test('what a station stores and sends is what the cloud reads', () => {
  const body = encodeEventBody({ kind: 'people', sensor: 'people', in: 1, out: 0, inside: 1, basis: 'counted' });
  expect(body).toBe('{"kind":"people","sensor":"people","in":1,"out":0,"inside":1,"basis":"counted"}');
  const sent = encodeBatch({ session: 's', epoch, first: 8, events: [eventJson(body, { at, atMin: 1, atMax: 2 })] });
  const decoded = decode('events', sent);
  if (!decoded.ok) throw new Error(decoded.detail);
  expect(sequenceEvents(decoded.message)).toEqual([
    {
      valid: true,
      first: 8,
      last: 8,
      event: {
        at,
        atIs: 'estimated',
        atMin: 1,
        atMax: 2,
        kind: 'people',
        sensor: 'people',
        in: 1,
        out: 0,
        inside: 1,
        basis: 'counted',
      },
      json: `{"at":${at},"atIs":"estimated","atMin":1,"atMax":2,${body.slice(1)}`,
    },
  ]);
});

test('whatever is in a batch, its sequences follow one another without a hole', () => {
  const events = fc.array(
    fc.oneof(
      fc.constant(sos()),
      fc.constant(poison),
      fc.jsonValue(),
      fc.tuple(fc.integer({ min: -2, max: 50 }), fc.integer({ min: -2, max: 60 })).map(([from, to]) => gap(from, to)),
    ),
    { minLength: 1, maxLength: 30 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), events, (first, batch) => {
      const sequenced = sequenceEvents({ first, events: batch });
      expect(sequenced).toHaveLength(batch.length);
      let next = first;
      for (const event of sequenced) {
        expect(event.first).toBe(next);
        expect(event.last).toBeGreaterThanOrEqual(event.first);
        next = event.last + 1;
      }
    }),
  );
});
