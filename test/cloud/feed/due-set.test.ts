import { expect, test } from 'vitest';
import { DueSet } from '../../../cloud/feed/due-set.ts';

test('an id is due in the second after its time, once', () => {
  const due = new DueSet();
  due.set('a', 10_001);
  expect(due.take(10_999)).toEqual([]);
  expect(due.take(11_000)).toEqual(['a']);
  expect(due.take(60_000)).toEqual([]);
});

test('whatever was passed over is due as well', () => {
  const due = new DueSet();
  due.set('late', 1000);
  due.set('now', 90_000);
  due.set('ahead', 90_001);
  expect(due.take(90_000).sort()).toEqual(['late', 'now']);
  expect(due.take(91_000)).toEqual(['ahead']);
});

test('an id stands at its last time alone, and nowhere once that is taken back', () => {
  const due = new DueSet();
  due.set('moved', 1000);
  due.set('moved', 5000);
  due.set('never', 1000);
  due.set('never', null);
  expect(due.take(4000)).toEqual([]);
  expect(due.take(5000)).toEqual(['moved']);
  due.set('moved', 5000);
  expect(due.take(5000)).toEqual(['moved']);
});
