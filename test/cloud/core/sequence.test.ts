import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advance, placeBatch, type Stretch } from '../../../cloud/core/sequence.ts';
import { type SequencedEvent, sequenceEvents } from '../../../protocol/codec.ts';
import { gap, sos } from '../../support/station-data.ts';

/** `first`, then one event a number: 1 for a plain event, n for a gap of n sequences. */
function batch(first: number, sizes: readonly number[]): SequencedEvent[] {
  let next = first;
  const events = sizes.map((size) => {
    const event = size === 1 ? sos(1) : gap(next, next + size - 1);
    next += size;
    return event;
  });
  return sequenceEvents({ first, events });
}

test.each<{ when: string; upTo: number; stretches: [number, number][]; reached: number }>([
  { when: 'nothing is stored', upTo: 0, stretches: [], reached: 0 },
  { when: 'the first event is missing', upTo: 0, stretches: [[2, 2]], reached: 0 },
  {
    when: 'a row follows',
    upTo: 3,
    stretches: [
      [4, 4],
      [5, 5],
    ],
    reached: 5,
  },
  {
    when: 'a hole follows a row',
    upTo: 3,
    stretches: [
      [4, 4],
      [6, 6],
      [7, 7],
    ],
    reached: 4,
  },
  {
    when: 'a gap receipt closes the hole',
    upTo: 3,
    stretches: [
      [4, 9],
      [10, 10],
    ],
    reached: 10,
  },
  {
    when: 'a receipt covers what is stored in it',
    upTo: 3,
    stretches: [
      [4, 9],
      [6, 6],
      [10, 10],
    ],
    reached: 10,
  },
  { when: 'a receipt ends below what is reached', upTo: 8, stretches: [[2, 5]], reached: 8 },
])('advances to $reached from $upTo where $when', ({ upTo, stretches, reached }) => {
  expect(
    advance(
      upTo,
      stretches.map(([first, last]) => ({ first, last })),
    ),
  ).toBe(reached);
});

const stretch: fc.Arbitrary<Stretch> = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 6 }))
  .map(([first, length]) => ({ first, last: first + length }));

test('advances over exactly the contiguous prefix of what is stored, however it overlaps', () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 30 }), fc.integer({ min: 0, max: 20 }), (stretches, upTo) => {
      const stored = new Set(stretches.flatMap(({ first, last }) => range(first, last)));
      let prefix = upTo;
      while (stored.has(prefix + 1)) prefix += 1;
      const ascending = stretches.toSorted((a, b) => a.first - b.first);
      expect(advance(upTo, ascending)).toBe(prefix);
    }),
  );
});

test.each<{ when: string; events: SequencedEvent[]; upTo: number; taken: number[]; tooFarAhead: number }>([
  { when: 'it follows on', events: batch(11, [1, 1]), upTo: 10, taken: [11, 12], tooFarAhead: 0 },
  { when: 'it is known already', events: batch(1, [1, 1]), upTo: 10, taken: [1, 2], tooFarAhead: 0 },
  { when: 'it ends at the window’s edge', events: batch(14, [1, 1]), upTo: 10, taken: [14, 15], tooFarAhead: 0 },
  { when: 'it crosses the window’s edge', events: batch(14, [1, 1, 1, 1]), upTo: 10, taken: [14, 15], tooFarAhead: 2 },
  { when: 'a gap ahead ends beyond the window', events: batch(14, [9, 1]), upTo: 10, taken: [], tooFarAhead: 2 },
  {
    when: 'a gap that follows on ends beyond the window',
    events: batch(11, [99]),
    upTo: 10,
    taken: [11],
    tooFarAhead: 0,
  },
  { when: 'a gap that overlaps ends beyond the window', events: batch(5, [99]), upTo: 10, taken: [5], tooFarAhead: 0 },
])('takes $taken of a batch where $when', ({ events, upTo, taken, tooFarAhead }) => {
  const placed = placeBatch({ upTo, maxSeen: upTo }, events, 5);
  expect({ taken: placed.take.map((event) => event.first), tooFarAhead: placed.tooFarAhead }).toEqual({
    taken,
    tooFarAhead,
  });
});

test('takes a beginning of the batch without holes, never looks at the highest sequence seen', () => {
  const sizes = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 12 })), { minLength: 1, maxLength: 20 });
  const number = fc.integer({ min: 0, max: 60 });
  fc.assert(
    fc.property(sizes, number, number, number, (lengths, first, upTo, maxSeen) => {
      const events = batch(first + 1, lengths);
      const { take, tooFarAhead } = placeBatch({ upTo, maxSeen }, events, 20);
      expect(take).toEqual(events.slice(0, take.length));
      expect(take.length + tooFarAhead).toBe(events.length);
      for (const event of take) expect(event.last <= upTo + 20 || event.first <= upTo + 1).toBe(true);
    }),
  );
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
