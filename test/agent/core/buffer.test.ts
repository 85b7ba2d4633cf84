import { expect, test } from 'vitest';
import { planTrim } from '../../../agent/core/buffer.ts';

const config = { maxRows: 1000, maxBytes: 100_000 };

test.each<{ what: string; use: { rows: number; bytes: number }; trim: number | null }>([
  { what: 'nothing is kept', use: { rows: 0, bytes: 4096 }, trim: null },
  { what: 'both bounds are just met', use: { rows: 1000, bytes: 100_000 }, trim: null },
  { what: 'there is one row too many: down to 5 % below', use: { rows: 1001, bytes: 50_000 }, trim: 51 },
  { what: 'there are too many bytes: as many rows as they take', use: { rows: 500, bytes: 110_000 }, trim: 69 },
  { what: 'both are passed: the larger of the two', use: { rows: 1100, bytes: 220_000 }, trim: 625 },
  { what: 'the file is large without any row', use: { rows: 0, bytes: 200_000 }, trim: 0 },
  { what: 'one row is larger than everything', use: { rows: 1, bytes: 2_000_000 }, trim: 1 },
])('where $what: $trim', ({ use, trim }) => {
  expect(planTrim(use, config)).toEqual(trim === null ? null : { rows: trim });
});
