import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { hoursProblem, parseHours, zoneOffsetMs } from '../../../cloud/core/hours.ts';

const zoneBefore = process.env['TZ'];
afterAll(() => {
  if (zoneBefore === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zoneBefore;
});

const instant = (text: string): number => Date.parse(text);

type Case = [rule: string, zone: string, at: string, open: boolean, changesAt: string | null];

const cases: Case[] = [
  ['24/7', 'Asia/Shanghai', '2026-11-23T03:00+08:00', true, null],
  ['08:00-20:00', 'Asia/Shanghai', '2026-11-23T07:59:59+08:00', false, '2026-11-23T08:00+08:00'],
  ['08:00-20:00', 'Asia/Shanghai', '2026-11-23T08:00+08:00', true, '2026-11-23T20:00+08:00'],
  ['08:00-20:00', 'Asia/Shanghai', '2026-11-23T20:00+08:00', false, '2026-11-24T08:00+08:00'],
  // The same instant, two stations: it is 08:30 in one and 19:30 of the day before in the other.
  ['08:00-20:00', 'Asia/Shanghai', '2026-11-24T00:30Z', true, '2026-11-24T12:00Z'],
  ['08:00-20:00', 'America/New_York', '2026-11-24T00:30Z', true, '2026-11-24T01:00Z'],
  ['22:00-06:00', 'Asia/Shanghai', '2026-11-23T23:30+08:00', true, '2026-11-24T06:00+08:00'],
  ['22:00-06:00', 'Asia/Shanghai', '2026-11-24T05:59+08:00', true, '2026-11-24T06:00+08:00'],
  ['22:00-06:00', 'Asia/Shanghai', '2026-11-24T06:00+08:00', false, '2026-11-24T22:00+08:00'],
  ['Mo-Fr 09:00-18:00', 'Asia/Shanghai', '2026-11-27T18:00+08:00', false, '2026-11-30T09:00+08:00'],
  ['Mo-Fr 08:00-11:30,14:00-18:00', 'Asia/Shanghai', '2026-11-23T12:00+08:00', false, '2026-11-23T14:00+08:00'],
  // National Day and the two days after it.
  ['Mo-Su 08:00-20:00; PH off', 'Asia/Shanghai', '2026-10-01T12:00+08:00', false, '2026-10-04T08:00+08:00'],
  ['Mo-Su 08:00-20:00; PH off', 'Asia/Shanghai', '2026-09-30T12:00+08:00', true, '2026-09-30T20:00+08:00'],
  ['off', 'Asia/Shanghai', '2026-11-23T12:00+08:00', false, null],
  // The nights in which Berlin's clocks, where the program may run, are put forward and back.
  ['08:00-20:00', 'Asia/Shanghai', '2026-03-28T21:00+08:00', false, '2026-03-29T08:00+08:00'],
  ['08:00-20:00', 'Asia/Shanghai', '2026-10-24T21:00+08:00', false, '2026-10-25T08:00+08:00'],
  ['08:00-10:00', 'Asia/Shanghai', '2026-10-25T07:30+08:00', false, '2026-10-25T08:00+08:00'],
  // The nights in which the station's own clocks are.
  ['08:00-20:00', 'America/New_York', '2026-03-08T01:00-05:00', false, '2026-03-08T08:00-04:00'],
  ['08:00-20:00', 'America/New_York', '2026-11-01T00:30-04:00', false, '2026-11-01T08:00-05:00'],
];

describe.each(['UTC', 'Asia/Shanghai', 'Europe/Berlin', 'America/Los_Angeles'])('run in %s', (processZone) => {
  beforeEach(() => {
    process.env['TZ'] = processZone;
  });

  test.each(cases)('%s in %s at %s: open %s until %s', (rule, zone, at, open, changesAt) => {
    expect(parseHours(rule, zone)(instant(at))).toEqual({ open, changesAt: changesAt && instant(changesAt) });
  });
});

test('the milliseconds of a question do not move the answer', () => {
  const rule = parseHours('08:00-20:00', 'Asia/Shanghai');
  expect(rule(instant('2026-11-23T07:59:59.750+08:00')).changesAt).toBe(instant('2026-11-23T08:00+08:00'));
});

test('one rule answers for many stations, forward and back in time', () => {
  const rule = parseHours('08:00-20:00', 'Asia/Shanghai');
  const hours = [9, 21, 9, 7, 20, 8].map((hour) => Date.UTC(2026, 10, 23, hour - 8));
  expect(hours.map((at) => rule(at).open)).toEqual([true, false, true, false, false, true]);
});

test.each<[text: string, problem: RegExp | null]>([
  ['24/7', null],
  ['Mo-Su 06:00-22:00; PH off', null],
  ['Mo-Fr 08:00-18:00 "请敲门"', null],
  ['whenever', /not valid/],
  ['周一至周五 8:00-18:00', /not valid/],
  ['', /nothing meaningful/],
])('says what is wrong with "%s": %s', (text, problem) => {
  const found = hoursProblem(text);
  if (problem === null) expect(found).toBeNull();
  else expect(found).toMatch(problem);
});

test.each([
  ['Asia/Shanghai', '2026-07-01T00:00Z', 8],
  ['America/New_York', '2026-07-01T00:00Z', -4],
  ['America/New_York', '2026-12-01T00:00Z', -5],
  ['Asia/Kolkata', '2026-12-01T00:00Z', 5.5],
])('%s is %s at %s hours from UTC', (zone, at, hours) => {
  expect(zoneOffsetMs(zone, instant(at) + 750)).toBe(hours * 3_600_000);
});
