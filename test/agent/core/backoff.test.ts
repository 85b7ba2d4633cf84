import { expect, test } from 'vitest';
import { backoffMs } from '../../../agent/core/backoff.ts';

const config = { firstMs: 500, maxMs: 30_000 };

test.each([
  { attempt: 0, shortestMs: 250, longestMs: 500 },
  { attempt: 1, shortestMs: 500, longestMs: 1000 },
  { attempt: 5, shortestMs: 8000, longestMs: 16_000 },
  { attempt: 6, shortestMs: 15_000, longestMs: 30_000 },
  { attempt: 5000, shortestMs: 15_000, longestMs: 30_000 },
])('attempt $attempt waits $shortestMs to $longestMs ms, by chance', ({ attempt, shortestMs, longestMs }) => {
  expect(backoffMs(attempt, 0, config)).toBe(shortestMs);
  expect(backoffMs(attempt, 0.999_999, config)).toBe(longestMs);
});
