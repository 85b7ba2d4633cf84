import { expect, test } from 'vitest';
import {
  type BoardRun,
  boardMemory,
  boardRestarted,
  boardUp,
  settleLate,
  startBoard,
  unsettle,
} from '../../../agent/core/board.ts';

const hour = 3_600_000;
const mono = (monoMs: number, wallMs: number | null = null) => ({ monoMs, wallMs });

/** A board that said at 100 s of boot A that it is up for 500 s. */
const known: BoardRun = {
  generation: 2,
  bootedAtMs: null,
  upS: 500,
  upAt: mono(100_000, 10 * hour),
  boot: 'A',
  settled: true,
  unsettledSinceMs: 0,
  doubted: null,
};
const inDoubt = unsettle(known, 150_000);

test('a board that was never seen has no past to mistake', () => {
  expect(startBoard(undefined, 'A', 5000)).toEqual({
    generation: 0,
    bootedAtMs: null,
    upS: null,
    upAt: mono(5000),
    boot: 'A',
    settled: true,
    unsettledSinceMs: 5000,
    doubted: null,
  });
});

test('a remembered board waits for its word, and remembers the same again', () => {
  const memory = boardMemory(known);
  const started = startBoard(memory, 'B', 7000);
  expect(started).toEqual({ ...known, settled: false, unsettledSinceMs: 7000 });
  expect(boardMemory(started)).toEqual(memory);
  expect(JSON.parse(JSON.stringify(memory))).toEqual(memory);
});

test('a line counter that began again is a restart at once, and the next up= is no second one', () => {
  const restarted = boardRestarted(known, mono(200_000), 'A');
  expect(restarted).toMatchObject({ generation: 3, bootedAtMs: null, upS: 0, settled: true });
  expect(boardUp(restarted, 0, mono(200_001), 'A')).toMatchObject({ restarted: false, run: { generation: 3, upS: 0 } });
});

test.each<{ what: string; given: BoardRun; upS: number; at?: ReturnType<typeof mono>; restarted: boolean }>([
  { what: 'the first up= of all', given: startBoard(undefined, 'A', 0), upS: 9, restarted: false },
  { what: 'longer up', given: known, upS: 505, restarted: false },
  { what: 'the same second', given: known, upS: 500, restarted: false },
  { what: 'less up than before', given: known, upS: 499, restarted: true },
  // 500 s up at 100 s, so 700 s are due at 300 s; 2 % drift and 5 s are allowed.
  { what: 'in doubt, and up for as long as it must be', given: inDoubt, upS: 700, at: mono(300_000), restarted: false },
  { what: 'in doubt, with a slow crystal', given: inDoubt, upS: 691, at: mono(300_000), restarted: false },
  { what: 'in doubt, and less up than before', given: inDoubt, upS: 499, at: mono(300_000), restarted: true },
  { what: 'in doubt, and never said it before', given: { ...inDoubt, upS: null }, upS: 3, restarted: false },
])('$what: restarted $restarted', ({ given, upS, at = mono(150_000), restarted }) => {
  const step = boardUp(given, upS, at, 'A');
  expect(step.restarted).toBe(restarted);
  expect(step.run).toMatchObject({ upS, upAt: at, settled: true, generation: given.generation + (restarted ? 1 : 0) });
});

test('a restart that up= alone shows began when it says, at the earliest', () => {
  const { run } = boardUp(known, 12, mono(400_000), 'A');
  expect(run.bootedAtMs).toBe(387_000);
});

test('so did one that became known after a doubt', () => {
  expect(boardUp({ ...inDoubt, bootedAtMs: 7 }, 12, mono(400_000), 'A').run.bootedAtMs).toBe(387_000);
});

test.each<{ what: string; upS: number; at: ReturnType<typeof mono>; restarted: boolean }>([
  { what: 'up for the hour between by the wall clock', upS: 4100, at: mono(20_000, 11 * hour), restarted: false },
  { what: 'no clock, and more than it was', upS: 501, at: mono(20_000), restarted: false },
  { what: 'no clock, and less than it was', upS: 499, at: mono(20_000), restarted: true },
  { what: 'a wall clock that went back, and what it was', upS: 500, at: mono(20_000, 9 * hour), restarted: false },
  { what: 'a wall clock that went back, and less', upS: 400, at: mono(20_000, 9 * hour), restarted: true },
])('after a reboot of the machine, $what: restarted $restarted', ({ upS, at, restarted }) => {
  const started = startBoard(boardMemory(known), 'B', 10_000);
  expect(boardUp(started, upS, at, 'B').restarted).toBe(restarted);
});

/** What a board in doubt is taken for, word after word of `up=` and the second of its arrival. */
test.each<{ what: string; words: readonly (readonly [upS: number, atS: number])[]; verdicts: string }>([
  // 500 s up at 100 s, so 700 s are due at 300 s.
  { what: 'restarted, and heard twice at its pace', words: [[60, 300]], verdicts: 'restarted' },
  {
    what: 'restarted long ago',
    words: [
      [520, 700],
      [525, 705],
    ],
    verdicts: 'in doubt, restarted',
  },
  {
    what: 'the same, and a slow wire',
    words: [
      [520, 700],
      [525, 703.6],
    ],
    verdicts: 'in doubt, restarted',
  },
  {
    what: 'stalled, and its lines come all at once',
    words: [
      [505, 180],
      [510, 180.1],
      [575, 180.2],
    ],
    verdicts: 'in doubt, in doubt, settled',
  },
  {
    what: 'stalled for long, with a last line of the backlog',
    words: [
      [505, 400],
      [795, 400.2],
    ],
    verdicts: 'in doubt, settled',
  },
  {
    what: 'says the same word again',
    words: [
      [520, 700],
      [520, 705],
      [525, 710],
    ],
    verdicts: 'in doubt, in doubt, restarted',
  },
])('in doubt, a board that $what: $verdicts', ({ words, verdicts }) => {
  let run: BoardRun = inDoubt;
  const said = words.map(([upS, atS]) => {
    const step = boardUp(run, upS, mono(atS * 1000), 'A');
    run = step.run;
    if (step.restarted) return 'restarted';
    return run.settled ? 'settled' : 'in doubt';
  });
  expect(said.join(', ')).toBe(verdicts);
});

test('while its words leave the doubt, a board is not taken as it is', () => {
  const { run } = boardUp(inDoubt, 520, mono(700_000), 'A');
  expect(settleLate(run, 709_999, 10_000, 'A')).toBe(run);
  expect(settleLate(run, 710_000, 10_000, 'A')).toEqual({
    ...inDoubt,
    unsettledSinceMs: 700_000,
    upS: 520,
    upAt: mono(700_000),
    settled: true,
  });
});

test('a board that never says up= is taken as it is after a while', () => {
  expect(settleLate(inDoubt, 159_999, 10_000, 'A')).toBe(inDoubt);
  expect(settleLate(inDoubt, 160_000, 10_000, 'A')).toEqual({ ...inDoubt, settled: true });
  expect(settleLate(known, 900_000, 10_000, 'A')).toBe(known);
});
