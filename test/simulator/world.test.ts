import { expect, test } from 'vitest';
import { hourShares, nextArrival } from '../../simulator/core/arrivals.ts';
import { BoardModel } from '../../simulator/core/board-model.ts';
import { seededRandom } from '../../simulator/core/random.ts';
import { type Happening, type Sensed, World } from '../../simulator/core/world.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function dayOf(seed: number): { bytes: string; happenings: Happening[]; sensed: Sensed } {
  const world = new World({ visitsPerDay: 40, ports: 4 }, seededRandom(seed), 0);
  const board = new BoardModel('SIM1', 0);
  const happenings: Happening[] = [];
  let bytes = '';
  for (let atMs = 0; atMs <= dayMs; atMs += 5000) {
    happenings.push(...world.advance(atMs));
    for (const { line } of board.lines(world.sensed(), atMs)) bytes += line;
  }
  return { bytes, happenings, sensed: world.sensed() };
}

test('the same seed gives the same bytes, another seed others', () => {
  const first = dayOf(7);
  expect(first.bytes.length).toBeGreaterThan(1_000_000);
  expect(dayOf(7).bytes === first.bytes).toBe(true);
  expect(dayOf(8).bytes === first.bytes).toBe(false);
});

test('what is counted is what happened', () => {
  const { happenings, sensed } = dayOf(3);
  const count = (kind: Happening['kind']): number => happenings.filter((one) => one.kind === kind).length;
  const drawn = happenings.reduce((sum, one) => sum + (one.kind === 'drawn' ? one.ml : 0), 0);
  expect(count('visit')).toBeGreaterThan(10);
  expect({ in: sensed.counted.in, out: sensed.counted.out, ml: sensed.water.ml, presses: sensed.presses }).toEqual({
    in: count('visit'),
    out: count('leave'),
    ml: drawn,
    presses: count('pressed'),
  });
  expect(sensed.inside).toBe(count('visit') - count('leave'));
});

test('a door that opens shuts again, and nobody leaves who did not come', () => {
  const { happenings } = dayOf(11);
  const doors = happenings.flatMap((one) => (one.kind === 'door' ? [one.open] : []));
  expect(doors.every((open, index) => open === (index % 2 === 0))).toBe(true);
  let inside = 0;
  for (const { kind } of happenings) {
    if (kind === 'visit') inside += 1;
    if (kind === 'leave') inside -= 1;
    expect(inside).toBeGreaterThanOrEqual(0);
  }
  expect(happenings.map((one) => one.at)).toEqual(happenings.map((one) => one.at).toSorted((a, b) => a - b));
});

test('a world that is looked at rarely is the world that is looked at often', () => {
  function visits(stepMs: number): number[] {
    const world = new World({ visitsPerDay: 100, ports: 2 }, seededRandom(5), 0);
    const times: number[] = [];
    for (let atMs = stepMs; atMs <= dayMs; atMs += stepMs)
      times.push(...world.advance(atMs).flatMap((one) => (one.kind === 'visit' ? [one.at] : [])));
    return times;
  }
  expect(visits(60_000)).toEqual(visits(hourMs));
});

test('arrivals follow the hours: as many a day as asked for, a lunch peak, a night tail', () => {
  const random = seededRandom(1);
  const byHour = Array<number>(24).fill(0);
  const days = 4000;
  const perDay = 50;
  for (let at = nextArrival(0, perDay, random); at < days * dayMs; at = nextArrival(at, perDay, random)) {
    const hour = Math.floor(at / hourMs) % 24;
    byHour[hour] = (byHour[hour] ?? 0) + 1;
  }
  const total = byHour.reduce((sum, count) => sum + count, 0);
  expect(total / days / perDay).toBeCloseTo(1, 2);
  for (const [hour, count] of byHour.entries()) expect(count / total).toBeCloseTo(hourShares[hour] ?? 0, 2);
  expect(byHour.indexOf(Math.max(...byHour))).toBe(12);
  const night = byHour.slice(0, 5);
  expect(Math.max(...night)).toBeLessThan(Math.max(...byHour) / 5);
  expect(Math.min(...night)).toBeGreaterThan(0);
  expect(hourShares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
});

test('a fork of a seed is decided by its name alone', () => {
  const random = seededRandom(9);
  const before = random.fork('station-1').next();
  random.next();
  expect(random.fork('station-1').next()).toBe(before);
  expect(random.fork('station-2').next()).not.toBe(before);
});
