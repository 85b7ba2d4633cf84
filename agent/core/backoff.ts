export type BackoffConfig = { firstMs: number; maxMs: number };

/**
 * The wait before attempt `attempt` (0 is the first retry): doubles up to `maxMs`, and takes a
 * random part of it so that many who lost the same peer do not return together.
 *
 * @param random in [0, 1)
 */
export function backoffMs(attempt: number, random: number, config: BackoffConfig): number {
  const ceiling = Math.min(config.maxMs, config.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling * (0.5 + random / 2));
}
