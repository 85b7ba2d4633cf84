import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CountingBoard, type Field, fields, type Sums, sensors } from './counting-board.ts';

type Action =
  | { do: 'count'; field: Field; by: number }
  | { do: 'speak'; lost: readonly string[] }
  | { do: 'wait'; seconds: number }
  | { do: 'restart-agent'; awayS: number; machine: boolean; board: boolean }
  | { do: 'restart' | 'flush' };

const seconds = (min: number, max: number) => fc.integer({ min, max });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('count'), field: fc.constantFrom(...fields), by: fc.nat(40) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('speak'), lost: fc.subarray(sensors) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), seconds: seconds(1, 20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait'), seconds: seconds(61, 900) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('restart-agent'),
      awayS: seconds(1, 200),
      machine: fc.boolean(),
      board: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('restart', 'flush') }) },
);

function play(board: CountingBoard, action: Action): void {
  switch (action.do) {
    case 'count':
      return board.count(action.field, action.by);
    case 'speak':
      return board.speak(action.lost);
    case 'wait':
      return board.wait(action.seconds);
    case 'restart':
      return board.restart();
    case 'restart-agent':
      return board.agentRestart(action.awayS, action.machine, action.board);
    case 'flush':
      return board.flush();
  }
}

/** Anywhere, and just before the wrap; who counted that far is up for long. */
const raw = fc.oneof(
  { weight: 4, arbitrary: fc.nat(2000) },
  { weight: 1, arbitrary: fc.integer({ min: 2 ** 32 - 200, max: 2 ** 32 - 1 }) },
);
const start: fc.Arbitrary<Sums> = fc.record({ in: raw, out: raw, ml: raw, mwh: raw, presses: raw });
const firstLine = fc.oneof(fc.constant(0), fc.integer({ min: 65_400, max: 65_535 }));
const upS = seconds(100_000, 100_000_000);

test('events never count more than was told, and after a last word exactly that, whatever was lost or restarted', () => {
  let exact = 0;
  let runs = 0;
  const expectNoMore = ({ said, told, bounded }: CountingBoard): void => {
    for (const field of bounded ? fields : []) expect(said[field]).toBeLessThanOrEqual(told[field]);
  };
  fc.assert(
    fc.property(start, firstLine, upS, fc.array(action, { maxLength: 60, size: 'max' }), (raws, n, up, actions) => {
      const board = new CountingBoard(raws, n, up);
      for (const act of actions) {
        play(board, act);
        expectNoMore(board);
      }
      board.speak([]);
      board.wait(5);
      board.speak([]);
      board.flush();
      expectNoMore(board);
      if (board.exact) expect(board.said).toEqual(board.told);
      runs += 1;
      exact += board.exact ? 1 : 0;
    }),
    { numRuns: 300 },
  );
  // What no wire can tell is the exception, not what this test is about.
  expect(exact / runs).toBeGreaterThan(0.4);
});
