import { expect, test } from 'vitest';
import { peopleKnown, peopleQuietHour } from '../../../agent/core/people.ts';
import { config, minute, People } from './people-steps.ts';

const shut = (sinceMs = 0) => ({ open: false, sinceMs });
const open = { open: true, sinceMs: 0 };

/** Two people came in at 0 s; the counter missed that they left. */
function drifted(present?: boolean): People {
  const people = new People().hears({ in: 0, out: 0 });
  people.hears({ in: 2, out: 0, ...(present === undefined ? {} : { present }) });
  people.said();
  return people;
}

const emptied = (basis: string) => [{ in: 0, out: 0, inside: 0, basis }];

test.each<{
  what: string;
  present?: boolean;
  door: { open: boolean; sinceMs: number } | null;
  afterMinutes: number;
  basis: string | null;
}>([
  { what: 'not sensed for long behind a shut door', present: false, door: shut(), afterMinutes: 10, basis: 'presence' },
  { what: 'not sensed for a while', present: false, door: shut(), afterMinutes: 9.99, basis: null },
  { what: 'not sensed, and no door is known', present: false, door: null, afterMinutes: 10, basis: 'presence' },
  { what: 'not sensed, and the door stands open', present: false, door: open, afterMinutes: 60, basis: null },
  { what: 'sensed', present: true, door: shut(), afterMinutes: 600, basis: null },
  { what: 'without a presence sensor, the door shut for hours', door: shut(), afterMinutes: 240, basis: 'door' },
  { what: 'without one, the door shut for less', door: shut(), afterMinutes: 239.99, basis: null },
  { what: 'without one, the door shut later', door: shut(minute), afterMinutes: 240, basis: null },
  { what: 'without one, the door open', door: open, afterMinutes: 600, basis: null },
  { what: 'without one, and no door is known', door: null, afterMinutes: 600, basis: null },
])('heals where nobody is $what: $basis', ({ present, door, afterMinutes, basis }) => {
  const people = drifted(present).ticks(afterMinutes * minute, door);
  expect(people.said()).toEqual(basis === null ? [] : emptied(basis));
  expect(people.state).toMatchObject(basis === null ? { inside: 2 } : { inside: 0, basis });
});

test('healing waits from the last who moved, and from the last time that somebody was sensed', () => {
  const moved = drifted(false).hears({ in: 2, out: 1, present: false }, 8 * minute);
  moved.said();
  expect(moved.ticks(10 * minute, shut()).said()).toEqual([]);
  expect(moved.ticks(18 * minute, shut()).said()).toEqual(emptied('presence'));
  const sensed = drifted(false).hears({ in: 2, out: 0, present: true }, 5 * minute);
  sensed.hears({ in: 2, out: 0, present: false }, 6 * minute);
  expect(sensed.ticks(15.99 * minute, shut()).said()).toEqual([]);
  expect(sensed.ticks(16 * minute, shut()).said()).toEqual(emptied('presence'));
});

test('a sensor that repeats itself holds nothing up, and what was healed stays healed', () => {
  const people = drifted(false);
  for (let at = 0; at <= 10; at += 1) people.hears({ in: 2, out: 0, present: false }, at * minute);
  expect(people.ticks(10 * minute, shut()).said()).toEqual(emptied('presence'));
  expect(people.hears({ in: 2, out: 0, present: false }, 11 * minute).said()).toEqual([]);
  expect(people.state).toMatchObject({ inside: 0, basis: 'presence' });
});

test('who was counted behind a shut door is not gone with those before', () => {
  const people = drifted().hears({ in: 3, out: 0 }, 200 * minute);
  people.said();
  expect(people.ticks(439.99 * minute, shut()).said()).toEqual([]);
  expect(people.ticks(440 * minute, shut()).said()).toEqual(emptied('door'));
});

test('an empty room heals no further, and visits never heal', () => {
  const people = drifted(false).ticks(10 * minute, shut());
  people.said();
  expect(people.ticks(30 * minute, shut()).said()).toEqual([]);
  people.hears({ in: 3, out: 2, present: false }, 31 * minute);
  expect(people.said()).toEqual([{ in: 1, out: 2, inside: 0, basis: 'floor' }]);
});

test.each<{
  what: string;
  present?: boolean;
  door: { open: boolean; sinceMs: number } | null;
  at: number;
  resets: boolean;
}>([
  { what: 'nobody moved for long', door: shut(), at: 30, resets: true },
  { what: 'no door is known', door: null, at: 30, resets: true },
  { what: 'somebody moved lately', door: shut(), at: 29.99, resets: false },
  { what: 'somebody is sensed', present: true, door: shut(), at: 300, resets: false },
  { what: 'the door stands open', door: open, at: 300, resets: false },
])('the quiet hour resets where $what: $resets', ({ present, door, at, resets }) => {
  const people = drifted(present);
  people.take(peopleQuietHour(people.state, door, at * minute, config));
  expect(people.said()).toEqual(resets ? emptied('quiet-hour') : []);
});

test('the quiet hour says nothing where nobody is inside, or nobody ever counted', () => {
  const empty = new People().hears({ in: 0, out: 0 });
  empty.said();
  empty.take(peopleQuietHour(empty.state, shut(), 600 * minute, config));
  const fresh = new People();
  fresh.take(peopleQuietHour(fresh.state, shut(), 600 * minute, config));
  expect([...empty.said(), ...fresh.said()]).toEqual([]);
});

test('a station that senses presence alone knows one or none, and nobody before the time that proves it', () => {
  const people = new People().hears({ present: false });
  expect(peopleKnown(people.state)).toBe(false);
  expect(people.ticks(9.99 * minute, shut()).said()).toEqual([]);
  expect(people.ticks(10 * minute, shut()).said()).toEqual(emptied('presence'));
  expect(peopleKnown(people.state)).toBe(true);
  people.hears({ present: true }, 11 * minute);
  expect(people.said()).toEqual([{ in: 0, out: 0, inside: 1, basis: 'presence' }]);
  people.hears({ present: false }, 12 * minute);
  expect(people.ticks(21.99 * minute, shut()).said()).toEqual([]);
  expect(people.ticks(22 * minute, shut()).said()).toEqual(emptied('presence'));
});

test('a station that senses nothing at all stays unknown', () => {
  expect(new People().ticks(6000 * minute, shut()).said()).toEqual([]);
});

test('a restarted agent does not take the time before it for quiet', () => {
  const memory = { inside: 2, basis: 'counted' as const, counters: {} };
  const people = new People(memory, 1000 * minute).hears({ present: false }, 1000 * minute);
  people.said();
  expect(people.ticks(1009 * minute, shut()).said()).toEqual([]);
  expect(people.ticks(1010 * minute, shut()).said()).toEqual(emptied('presence'));
});
