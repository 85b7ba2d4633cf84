import { type Clock, sleep } from '../../protocol/host/clock.ts';
import { type BackoffConfig, backoffMs } from '../core/backoff.ts';

/**
 * Opens a thing again and again until `signal` aborts. `session` resolves or rejects when the thing
 * is gone; one that lasted `stableMs` starts the backoff from the beginning.
 */
export async function reopenForever(
  session: (signal: AbortSignal) => Promise<string>,
  closed: (reason: string) => void,
  io: { clock: Clock; random: () => number },
  backoff: BackoffConfig & { stableMs: number },
  signal: AbortSignal,
): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    const openedMs = io.clock.monotonicMs();
    let reason: string;
    try {
      reason = await session(signal);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    closed(reason);
    if (io.clock.monotonicMs() - openedMs >= backoff.stableMs) attempt = 0;
    await sleep(io.clock, backoffMs(attempt, io.random(), backoff), signal);
    attempt += 1;
  }
}
