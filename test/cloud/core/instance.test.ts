import { expect, test } from 'vitest';
import { judgeInstance } from '../../../cloud/core/instance.ts';
import { id32 } from '../../support/station-data.ts';

const first = id32('1');
const second = id32('2');
const leaseMs = 60_000;
const heardMs = 1_000_000;

type Case = [when: string, approved: string | null, speaks: string | null, afterMs: number];
type Verdict = [drives: boolean, duplicate: boolean, approvedThen: string | null];

test.each<[...Case, ...Verdict]>([
  ['nobody is approved', null, first, 5, true, false, first],
  ['it is the approved one', first, first, 5, true, false, first],
  ['it comes beside the approved one', first, second, 5, false, true, first],
  ['the lease of the approved one runs out now', first, second, leaseMs, false, true, first],
  ['the lease of the approved one has run out', first, second, leaseMs + 1, true, false, second],
  ['nobody knows whose it is, nor is anyone approved', null, null, 5, true, false, null],
  ['nobody knows whose it is, beside an approved one', first, null, 5, false, false, first],
  ['nobody knows whose it is, long after the approved one', first, null, leaseMs + 1, true, false, null],
])('where %s', (_when, approved, speaks, afterMs, drives, duplicate, approvedThen) => {
  const nowMs = heardMs + afterMs;
  expect(judgeInstance({ instance: approved, heardMs }, speaks, nowMs, leaseMs)).toEqual({
    approval: { instance: approvedThen, heardMs: drives ? nowMs : heardMs },
    drives,
    duplicate,
  });
});

test('the lease of the approved one is renewed by its own word, not by the other’s', () => {
  let approval: { instance: string | null; heardMs: number } = { instance: first, heardMs: 0 };
  for (const [instance, nowMs] of [
    [second, 40_000],
    [first, 50_000],
    [second, 100_000],
  ] as const)
    approval = judgeInstance(approval, instance, nowMs, leaseMs).approval;
  expect(approval).toEqual({ instance: first, heardMs: 50_000 });
});
