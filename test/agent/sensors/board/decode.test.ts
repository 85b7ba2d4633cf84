import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BoardNames, decodeLine, type LineHistory } from '../../../../agent/sensors/board/decode.ts';
import type { DriverEvent } from '../../../../agent/sensors/driver.ts';
import { formatBoardLine } from '../../../../protocol/board-line.ts';

const asTold: BoardNames = { rename: {}, ignore: new Set() };
const board = 'board-1/A7';

const line = (n: number, sensor = 'door', fields: Record<string, string | number> = { open: 1 }, id = 'A7'): string =>
  formatBoardLine({ board: id, n, sensor, fields }).trimEnd();

/** One wire that hears lines at given seconds. */
class Wire {
  #history: LineHistory = {};
  readonly #names: BoardNames;

  constructor(names = asTold) {
    this.#names = names;
  }

  hears(text: string, seconds = 0): DriverEvent[] {
    const { history, events } = decodeLine(this.#history, text, seconds * 1000, 'board-1', this.#names);
    this.#history = history;
    return events;
  }
}

const reading: DriverEvent = { type: 'reading', board, reading: { kind: 'door', sensor: 'door', open: true } };
const lost = (lines: number): DriverEvent => ({ type: 'lost-lines', board, lines });
const unsettled: DriverEvent = { type: 'board-unsettled', board };
const restarted: DriverEvent = { type: 'board-restarted', board };

test('the first line of a board: it may have restarted unseen', () => {
  expect(new Wire().hears(line(7))).toEqual([unsettled, reading]);
});

test.each<{ what: string; last: number; n: number; afterS?: number; told: DriverEvent[] }>([
  { what: 'the next line', last: 7, n: 8, told: [] },
  { what: 'the next line over the wrap', last: 65_535, n: 0, told: [] },
  { what: 'one line less', last: 7, n: 9, told: [lost(1)] },
  { what: 'lines less over the wrap', last: 65_530, n: 4, told: [lost(9)] },
  { what: 'as many as a board says in no time at all', last: 1000, n: 1050, told: [lost(49)] },
  { what: 'more than a board can have said', last: 1000, n: 1051, told: [unsettled] },
  { what: 'as many as it says in 10 s', last: 1000, n: 3050, afterS: 10, told: [lost(2049)] },
  { what: 'more than that', last: 1000, n: 3051, afterS: 10, told: [unsettled] },
  { what: 'a counter that began again', last: 5000, n: 0, told: [restarted] },
  { what: 'one that began again, its first lines lost', last: 5000, n: 50, told: [restarted] },
  { what: 'one that went back further than it began', last: 5000, n: 51, told: [unsettled] },
  { what: 'one that began again before the wrap', last: 65_480, n: 0, afterS: 0.02, told: [restarted] },
  { what: 'a counter that stood still for a minute', last: 7, n: 8, afterS: 60, told: [] },
  { what: 'a counter that nobody heard for longer', last: 7, n: 8, afterS: 60.1, told: [unsettled] },
])('$what ($last → $n)', ({ last, n, afterS = 0, told }) => {
  const wire = new Wire();
  wire.hears(line(last, 'people', { in: 0, out: 0 }));
  expect(wire.hears(line(n), afterS)).toEqual([...told, reading]);
});

test('a line that comes twice is heard once', () => {
  const wire = new Wire();
  wire.hears(line(7));
  expect(wire.hears(line(7), 1)).toEqual([]);
  expect(wire.hears(line(8), 2)).toEqual([reading]);
});

test.each<{ what: string; last: string; again: string; afterS: number }>([
  { what: 'other words', last: line(0, 'button', { sos: 4 }), again: line(0), afterS: 0.1 },
  { what: 'the same words later than any echo', last: line(7), again: line(7), afterS: 1.1 },
])('the same counter with $what leaves the board in doubt, and is heard', ({ last, again, afterS }) => {
  const wire = new Wire();
  wire.hears(last);
  expect(wire.hears(again, afterS)).toEqual([unsettled, reading]);
});

test('a line that is rejected is no line: the gap shows at the next one', () => {
  const wire = new Wire();
  wire.hears(line(7));
  expect(wire.hears(line(8).replace('open=1', 'open=0'))).toMatchObject([{ type: 'rejected', cause: 'crc' }]);
  expect(wire.hears(line(9))).toEqual([lost(1), reading]);
});

test('boards of one wire are counted each for itself', () => {
  const wire = new Wire();
  wire.hears(line(7));
  expect(wire.hears(line(900, 'door', { open: 1 }, 'B2'))).toMatchObject([
    { type: 'board-unsettled', board: 'board-1/B2' },
    { type: 'reading', board: 'board-1/B2' },
  ]);
  expect(wire.hears(line(8))).toEqual([reading]);
});

test('more than eight boards on one wire are garbage; the eight go on', () => {
  const wire = new Wire();
  for (let n = 0; n < 8; n += 1) wire.hears(line(1, 'door', { open: 1 }, `B${n}`));
  const ninth = wire.hears(line(1, 'door', { open: 1 }, 'B8'));
  expect(ninth).toEqual([{ type: 'rejected', cause: 'too-many-boards', detail: 'B8' }]);
  expect(wire.hears(line(2, 'door', { open: 0 }, 'B7'))).toHaveLength(1);
});

test('a board’s word about itself', () => {
  const [, up] = new Wire().hears(line(0, 'board', { up: 12, fw: '1.4.2' }));
  expect(up).toEqual({ type: 'board-up', board, upS: 12, firmware: '1.4.2' });
});

test('what this version does not know is told beside what it knows', () => {
  const wire = new Wire();
  wire.hears(line(0));
  expect(wire.hears(line(1, 'lamp', { lit: 1 }))).toEqual([{ type: 'unknown', what: 'sensor lamp' }]);
  expect(wire.hears(line(2, 'door', { open: 1, hinge: 2 }))).toEqual([
    reading,
    { type: 'unknown', what: 'field hinge of door' },
  ]);
  expect(wire.hears(line(3, 'board', { up: 1, mood: 'good' }))).toEqual([
    { type: 'board-up', board, upS: 1, firmware: null },
    { type: 'unknown', what: 'field mood of board' },
  ]);
});

test('sensors get the names of the station, or none', () => {
  const wire = new Wire({ rename: { 'port-1': 'port-11', door: 'door-front' }, ignore: new Set(['env', 'port-11']) });
  wire.hears(line(0));
  expect(wire.hears(line(1, 'port-1', { mw: 5 }))).toMatchObject([{ reading: { sensor: 'port-11', mw: 5 } }]);
  expect(wire.hears(line(2))).toMatchObject([{ reading: { sensor: 'door-front' } }]);
  expect(wire.hears(line(3, 'env', { temp: 20, fog: 1 }))).toEqual([]);
  expect(wire.hears(line(4, 'port-11', { mw: 5 }))).toEqual([]);
  expect(wire.hears(line(5, 'people', { in: 1, out: 0 }))).toMatchObject([{ reading: { sensor: 'people' } }]);
});

test('decoding is total, and remembers no more than eight boards', () => {
  const id = fc.nat(40).map((n) => `B${n}`);
  const good = fc.tuple(fc.nat(70_000), id).map(([n, name]) => line(n, 'door', { open: 1 }, name));
  const text = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    good,
    good.map((valid) => valid.slice(1)),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40, size: 'max' }), (lines) => {
      let history: LineHistory = {};
      for (const one of lines) history = decodeLine(history, one, 0, 'board-1', asTold).history;
      expect(Object.keys(history).length).toBeLessThanOrEqual(8);
    }),
    { numRuns: 40 },
  );
});
