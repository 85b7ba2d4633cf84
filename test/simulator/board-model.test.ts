import { expect, test } from 'vitest';
import { type BoardLine, counterModulus, parseBoardLine } from '../../protocol/board-line.ts';
import { BoardModel } from '../../simulator/core/board-model.ts';
import { seededRandom } from '../../simulator/core/random.ts';
import { type Sensed, World } from '../../simulator/core/world.ts';

const idle: Sensed = {
  doorOpen: false,
  counted: { in: 0, out: 0 },
  inside: 0,
  water: { tankPct: 80, hotC: 92, coldC: 9, ml: 0, filterPct: 90 },
  ports: [{ mw: 0, mwh: 0 }],
  env: { tempC: 22, rhPct: 55, co2Ppm: 450 },
  presses: 0,
};

/** Lines as an agent would read them; one that it would reject fails the test. */
function heard(board: BoardModel, sensed: Sensed, nowMs: number): BoardLine[] {
  return board.lines(sensed, nowMs).map(({ line }) => {
    expect(line.endsWith('\r\n')).toBe(true);
    const parsed = parseBoardLine(line.slice(0, -1));
    if (!parsed.ok) throw new Error(`${line}: ${parsed.cause} ${parsed.detail}`);
    return parsed;
  });
}

const sensors = (lines: readonly BoardLine[]): string[] => lines.map((line) => line.sensor);
const report = (lines: readonly BoardLine[], sensor: string) => lines.find((line) => line.sensor === sensor)?.report;

test('every line of a busy day is valid, and says nothing that this version does not know', () => {
  const world = new World({ visitsPerDay: 200, ports: 6 }, seededRandom(2), 0);
  const board = new BoardModel('SIM1', 0);
  let lines = 0;
  for (let atMs = 0; atMs < 86_400_000; atMs += 30_000) {
    world.advance(atMs);
    for (const { report, unknownFields } of heard(board, world.sensed(), atMs)) {
      expect(report).not.toBeNull();
      expect(unknownFields).toEqual([]);
      lines += 1;
    }
  }
  expect(lines).toBeGreaterThan(20_000);
});

test('the board speaks first, then every sensor, at least every 5 s and at once on a change', () => {
  const board = new BoardModel('SIM1', 0);
  const all = ['board', 'door', 'people', 'water', 'port-1', 'env', 'button'];
  expect(sensors(heard(board, idle, 0))).toEqual(all);
  expect(heard(board, idle, 4999)).toEqual([]);
  expect(sensors(heard(board, { ...idle, doorOpen: true }, 4999))).toEqual(['door']);
  expect(sensors(heard(board, { ...idle, doorOpen: true }, 5000))).toEqual(all.filter((name) => name !== 'door'));
});

test('what drifts by itself waits for its turn, a phone that is plugged in does not', () => {
  const board = new BoardModel('SIM1', 0);
  heard(board, idle, 0);
  const warmer = { ...idle, water: { ...idle.water, hotC: 91 }, env: { ...idle.env, tempC: 23 } };
  expect(heard(board, warmer, 1000)).toEqual([]);
  expect(sensors(heard(board, { ...warmer, ports: [{ mw: 9000, mwh: 0 }] }, 1000))).toEqual(['port-1']);
});

test('line counters go up by one and wrap', () => {
  const board = new BoardModel('SIM1', 0, { firstLine: 65_533 });
  expect(heard(board, idle, 0).map((line) => line.n)).toEqual([65_533, 65_534, 65_535, 0, 1, 2, 3]);
});

test('counters are cumulative; a restart is announced first and begins them, and the lines, at 0', () => {
  const board = new BoardModel('SIM1', 0);
  const busy = { ...idle, counted: { in: 5, out: 3 }, water: { ...idle.water, ml: 900 }, presses: 2 };
  expect(report(heard(board, busy, 60_000), 'people')).toMatchObject({ in: 5, out: 3 });
  board.restart(busy, 61_000);
  const after = heard(board, { ...busy, counted: { in: 6, out: 3 } }, 61_500);
  expect(after[0]).toMatchObject({ sensor: 'board', n: 0, report: { kind: 'board', upS: 0 } });
  expect(report(after, 'people')).toMatchObject({ in: 1, out: 0 });
  expect(report(after, 'water')).toMatchObject({ ml: 0 });
  expect(report(after, 'button')).toMatchObject({ sos: 0 });
});

test('counters wrap at 32 bits', () => {
  const board = new BoardModel('SIM1', 0);
  const full = { ...idle, counted: { in: counterModulus - 1, out: counterModulus } };
  expect(report(heard(board, full, 0), 'people')).toMatchObject({ in: counterModulus - 1, out: 0 });
});
