import { expect, test } from 'vitest';
import { cover, forgetEpochs, purgeable, type Retention } from '../../../agent/core/retention.ts';

const dayMs = 86_400_000;
const keepMs = 7 * dayMs;

/** Welcomes of one epoch, as `[day, upTo]`. */
function covered(...welcomes: readonly (readonly [day: number, upTo: number])[]): Retention {
  return welcomes.reduce<Retention>((retention, [day, upTo]) => cover(retention, 'e1', upTo, day * dayMs), {});
}

test.each<{ what: string; welcomes: [number, number][]; day: number; upTo: number | null }>([
  { what: 'nothing where no welcome came', welcomes: [], day: 100, upTo: null },
  { what: 'nothing where a welcome covers nothing', welcomes: [[0, 0]], day: 8, upTo: null },
  { what: 'nothing while the cover is too young', welcomes: [[0, 50]], day: 6.99, upTo: null },
  { what: 'what one welcome covered long enough ago', welcomes: [[0, 50]], day: 7, upTo: 50 },
  {
    what: 'only what the older welcome covered, not what a younger one added',
    welcomes: [
      [0, 50],
      [3, 80],
    ],
    day: 8,
    upTo: 50,
  },
  {
    what: 'all of it once the younger is old, too',
    welcomes: [
      [0, 50],
      [3, 80],
    ],
    day: 10,
    upTo: 80,
  },
  {
    what: 'by the first welcome that covered it, however often it is said again',
    welcomes: [
      [0, 50],
      [3, 50],
      [6.9, 50],
    ],
    day: 7,
    upTo: 50,
  },
  {
    what: 'nothing where a restored cloud took the age back',
    welcomes: [
      [0, 50],
      [6, 20],
      [6.5, 50],
    ],
    day: 7,
    upTo: null,
  },
  {
    what: 'what a rewind still covered keeps its age',
    welcomes: [
      [0, 10],
      [1, 50],
      [6, 20],
      [7, 50],
    ],
    day: 8,
    upTo: 10,
  },
  {
    what: 'what came after a rewind has an age of its own',
    welcomes: [
      [0, 50],
      [6, 20],
      [6.5, 50],
    ],
    day: 13.5,
    upTo: 50,
  },
])('may purge $what', ({ welcomes, day, upTo }) => {
  const purges = purgeable(covered(...welcomes), day * dayMs, keepMs);
  expect(purges).toEqual(upTo === null ? [] : [{ epoch: 'e1', upTo }]);
});

test('epochs age each for itself', () => {
  const retention = cover(cover({}, 'e1', 9, 0), 'e2', 5, 2 * dayMs);
  expect(purgeable(retention, 7 * dayMs, keepMs)).toEqual([{ epoch: 'e1', upTo: 9 }]);
  expect(purgeable(retention, 9 * dayMs, keepMs)).toEqual([
    { epoch: 'e1', upTo: 9 },
    { epoch: 'e2', upTo: 5 },
  ]);
});

test('forgets epochs that have no rows any more', () => {
  const retention = cover(cover({}, 'e1', 9, 0), 'e2', 5, 0);
  expect(purgeable(forgetEpochs(retention, new Set(['e2'])), 7 * dayMs, keepMs)).toEqual([{ epoch: 'e2', upTo: 5 }]);
});
