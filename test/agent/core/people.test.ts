import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  distrustPeople,
  peopleKnown,
  peopleMemory,
  peopleReading,
  presenceOf,
  rebasePeople,
  startPeople,
} from '../../../agent/core/people.ts';
import { People, run, type Word } from './people-steps.ts';

test('the first counts of a sensor are a baseline: nobody came yet', () => {
  const people = new People().hears({ in: 812, out: 790 });
  expect(people.said()).toEqual([{ in: 0, out: 0, inside: 0, basis: 'counted' }]);
  expect(peopleKnown(people.state)).toBe(true);
});

test.each<{ what: string; words: Word[]; said: object[] }>([
  {
    what: 'who comes and goes is counted, once',
    words: [
      { in: 2, out: 0 },
      { in: 2, out: 0 },
      { in: 3, out: 1 },
    ],
    said: [
      { in: 2, out: 0, inside: 2, basis: 'counted' },
      { in: 1, out: 1, inside: 2, basis: 'counted' },
    ],
  },
  {
    what: 'who leaves an empty room shows that counting drifted: nobody is inside, and the visit stays counted',
    words: [
      { in: 0, out: 1 },
      { in: 1, out: 1 },
    ],
    said: [
      { in: 0, out: 1, inside: 0, basis: 'floor' },
      { in: 1, out: 0, inside: 1, basis: 'counted' },
    ],
  },
  {
    what: 'whoever is sensed is inside, whatever was counted',
    words: [{ in: 0, out: 0, present: true }],
    said: [{ in: 0, out: 0, inside: 1, basis: 'presence' }],
  },
  {
    what: 'nobody goes below one while somebody is sensed',
    words: [
      { in: 1, out: 0, present: true },
      { in: 1, out: 1, present: true },
    ],
    said: [
      { in: 1, out: 0, inside: 1, basis: 'counted' },
      { in: 0, out: 1, inside: 1, basis: 'presence' },
    ],
  },
  {
    what: 'presence that ends empties nothing at once: someone may stand still',
    words: [
      { in: 1, out: 0, present: true },
      { in: 1, out: 0, present: false },
    ],
    said: [{ in: 1, out: 0, inside: 1, basis: 'counted' }],
  },
  {
    what: 'a counter that wraps goes on',
    words: [
      { in: 4_294_967_295, out: 0 },
      { in: 4_294_967_295, out: 4_294_967_295 },
      { in: 1, out: 0 },
    ],
    said: [
      { in: 4_294_967_295, out: 0, inside: 4_294_967_295, basis: 'counted' },
      { in: 0, out: 4_294_967_295, inside: 0, basis: 'counted' },
      { in: 2, out: 1, inside: 1, basis: 'counted' },
    ],
  },
])('$what', ({ words, said }) => {
  const people = new People().hears({ in: 0, out: 0 });
  people.said();
  for (const word of words) people.hears(word);
  expect(people.said()).toEqual(said);
});

test('several sensors make one estimate; each has counters of its own', () => {
  const people = new People().hears({ in: 5, out: 0 }).hears({ in: 9, out: 9 }, 0, { sensor: 'people-2' });
  people.said();
  people.hears({ in: 7, out: 0 }).hears({ in: 9, out: 10 }, 0, { sensor: 'people-2' });
  expect(people.said()).toEqual([
    { in: 2, out: 0, inside: 2, basis: 'counted' },
    { sensor: 'people-2', in: 0, out: 1, inside: 1, basis: 'counted' },
  ]);
});

test('someone is present while one of several sensors senses them', () => {
  const people = new People();
  expect(presenceOf(people.state)).toBeNull();
  people.hears({ present: false }).hears({ present: true }, 0, { sensor: 'people-2' });
  expect(presenceOf(people.state)).toBe(true);
  people.hears({ present: false }, 0, { sensor: 'people-2' });
  expect(presenceOf(people.state)).toBe(false);
});

test('a word that does not tell presence leaves what was sensed', () => {
  const people = new People().hears({ present: true }).hears({ in: 4, out: 4 });
  expect(presenceOf(people.state)).toBe(true);
});

test('a sensor that lost its trust no longer backs the estimate, nor what it sensed', () => {
  const people = new People().hears({ in: 0, out: 0 }).hears({ in: 1, out: 0, present: true });
  people.state = distrustPeople(people.state, 'people', 1000);
  expect({ known: peopleKnown(people.state), present: presenceOf(people.state) }).toEqual({
    known: false,
    present: null,
  });
  people.said();
  people.hears({ in: 3, out: 2 }, 2000);
  expect(people.said()).toEqual([{ in: 2, out: 2, inside: 1, basis: 'counted' }]);
});

test('an estimate that is backed again is said again, although nobody moved', () => {
  const people = new People().hears({ in: 0, out: 0 }).hears({ in: 1, out: 0 });
  people.state = distrustPeople(people.state, 'people', 1000);
  people.said();
  people.hears({ in: 1, out: 0 }, 2000);
  expect(people.said()).toEqual([{ in: 0, out: 0, inside: 1, basis: 'counted' }]);
});

test('distrusting or releasing a sensor that nobody knows changes nothing', () => {
  const state = startPeople(undefined, 0);
  expect(distrustPeople(state, 'people', 0)).toBe(state);
  expect(rebasePeople(state, 'people')).toBe(state);
  expect(new People().restarts().said()).toEqual([]);
});

test('while the board may have restarted counts wait, presence does not', () => {
  const people = new People().hears({ in: 10, out: 10 });
  people.said();
  people.hears({ in: 12, out: 10, present: true }, 0, { of: null });
  expect(people.said()).toEqual([{ in: 0, out: 0, inside: 1, basis: 'presence' }]);
  people.hears({ in: 12, out: 10, present: true });
  expect(people.said()).toEqual([{ in: 2, out: 0, inside: 3, basis: 'counted' }]);
});

test('a board that restarts after it was in doubt: what it had said is counted, then what it says', () => {
  const people = new People().hears({ in: 8, out: 10 }).hears({ in: 10, out: 10 });
  people.said();
  people.hears({ in: 12, out: 11 }, 0, { of: null }).restarts();
  people.hears({ in: 1, out: 0 }, 0, { of: { generation: 1, bootedAtMs: null } });
  expect(people.said()).toEqual([
    { in: 2, out: 1, inside: 3, basis: 'counted' },
    { in: 1, out: 0, inside: 4, basis: 'counted' },
  ]);
});

test('a release of nothing, or of a baseline, says nothing', () => {
  const people = new People().hears({ in: 10, out: 10 });
  people.said();
  expect(people.restarts().said()).toEqual([]);
  const fresh = new People().hears({ in: 10, out: 10 }, 0, { of: null }).restarts();
  expect(fresh.said()).toEqual([]);
  expect(fresh.state.inside).toBeNull();
});

test('another board begins with a baseline, and the people inside stay inside', () => {
  const people = new People().hears({ in: 0, out: 0 }).hears({ in: 2, out: 0 });
  people.said();
  people.state = rebasePeople(people.state, 'people');
  people.hears({ in: 700, out: 650 }).hears({ in: 701, out: 650 });
  expect(people.said()).toEqual([{ in: 1, out: 0, inside: 3, basis: 'counted' }]);
});

test('what is counted outlives the process; it is known once a sensor speaks', () => {
  const before = new People().hears({ in: 100, out: 98 }).hears({ in: 103, out: 99 });
  const memory = JSON.parse(JSON.stringify(peopleMemory(before.state)));
  const people = new People(memory);
  expect(people.state).toMatchObject({ inside: 2, basis: 'counted' });
  expect(peopleKnown(people.state)).toBe(false);
  people.hears({ in: 104, out: 99 });
  expect(people.said()).toEqual([{ in: 1, out: 0, inside: 3, basis: 'counted' }]);
});

test('a reading does not change the state that it was given', () => {
  const state = startPeople(undefined, 0);
  const before = structuredClone(state);
  peopleReading(state, { kind: 'people', sensor: 'people', in: 1, out: 0, present: true }, run, 5);
  expect(state).toEqual(before);
});

test('whatever is counted, the estimate is never negative, and visits add up to what came', () => {
  const word = fc.record({
    in: fc.integer({ min: 0, max: 3 }),
    out: fc.integer({ min: 0, max: 3 }),
    present: fc.option(fc.boolean(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 50, size: 'max' }), (words) => {
      const people = new People().hears({ in: 0, out: 0 });
      const total = { in: 0, out: 0 };
      for (const step of words) {
        total.in += step.in;
        total.out += step.out;
        people.hears({ ...total, ...(step.present === undefined ? {} : { present: step.present }) });
        expect(people.state.inside).toBeGreaterThanOrEqual(presenceOf(people.state) ? 1 : 0);
      }
      const said = people.said().map((event) => event as { in: number; out: number; inside: number });
      const sum = (field: 'in' | 'out') => said.reduce((all, event) => all + event[field], 0);
      expect({ in: sum('in'), out: sum('out') }).toEqual(total);
      expect(said.at(-1)?.inside).toBe(people.state.inside);
    }),
  );
});
