import type { Random } from './random.ts';

/**
 * Share of a day's visits by the hour in which they begin: a breakfast shoulder, the lunch peak, an
 * afternoon rest, and the night tail of couriers. Adds up to 1.
 */
export const hourShares: readonly number[] = [
  0.012, 0.008, 0.006, 0.006, 0.007, 0.012, 0.025, 0.04, 0.045, 0.045, 0.055, 0.105, 0.13, 0.095, 0.07, 0.06, 0.05,
  0.05, 0.05, 0.04, 0.032, 0.025, 0.02, 0.012,
];

const hourMs = 3_600_000;

/** Time of day where the stations are, in China, ms since midnight. */
export function worldTimeMs(wallMs: number): number {
  return (wallMs + 8 * hourMs) % (24 * hourMs);
}

/**
 * When the next worker comes, by a Poisson process whose rate follows the hours of the day.
 *
 * @param afterMs world time, ms since a midnight
 */
export function nextArrival(afterMs: number, visitsPerDay: number, random: Random): number {
  const peak = Math.max(...hourShares);
  let at = afterMs;
  // Thinning: as many candidates as in the busiest hour, each kept with its own hour's share.
  for (;;) {
    at += random.exponential(hourMs / (visitsPerDay * peak));
    const hour = Math.floor(at / hourMs) % 24;
    if (random.chance((hourShares[hour] ?? 0) / peak)) return at;
  }
}
