import { expect, test } from 'vitest';
import { formatBoardLine, parseBoardLine } from '../../../protocol/board-line.ts';
import { seededRandom } from '../../../simulator/core/random.ts';
import { noFaults, sufferLine } from '../../../simulator/faults/wire-faults.ts';

const line = formatBoardLine({ board: 'SIM1', n: 7, sensor: 'people', fields: { in: 12, out: 9 } });
const rounds = 4000;

function suffer(faults: Partial<typeof noFaults>): { dropped: number; garbled: number; lies: number } {
  const random = seededRandom(6);
  const seen = { dropped: 0, garbled: 0, lies: 0 };
  for (let round = 0; round < rounds; round++) {
    const { bytes, intact } = sufferLine(line, { ...noFaults, ...faults }, random);
    const text = bytes?.toString('latin1');
    if (text === undefined) seen.dropped += 1;
    else if (text !== line) seen.garbled += 1;
    // `intact` is what the ledger believes: it has to be what an agent would find.
    const readable = text !== undefined && parseBoardLine(text.replace(/\n$/, '')).ok;
    if (intact !== (text === line) || intact !== readable) seen.lies += 1;
  }
  return seen;
}

test.each([
  { faults: {}, dropped: 0, garbled: 0 },
  { faults: { drop: 1 }, dropped: 1, garbled: 0 },
  { faults: { garble: 1 }, dropped: 0, garbled: 1 },
  { faults: { drop: 0.2 }, dropped: 0.2, garbled: 0 },
  { faults: { drop: 0.5, garble: 0.5 }, dropped: 0.5, garbled: 0.25 },
])('$faults drops $dropped and garbles $garbled of the lines, and tells which', ({ faults, dropped, garbled }) => {
  const seen = suffer(faults);
  expect(seen.dropped / rounds).toBeCloseTo(dropped, 1);
  expect(seen.garbled / rounds).toBeCloseTo(garbled, 1);
  expect(seen.lies).toBe(0);
});

test('a garbled line keeps its end: the next one is whole', () => {
  const random = seededRandom(1);
  for (let round = 0; round < 500; round++) {
    const { bytes } = sufferLine(line, { ...noFaults, garble: 1 }, random);
    expect(bytes?.length).toBe(line.length);
    expect(bytes?.at(-1)).toBe(0x0a);
  }
});
