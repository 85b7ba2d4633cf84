import { every, systemClock } from '../../protocol/host/clock.ts';
import type { Host } from '../../protocol/host/command-line.ts';

/** A host whose terminal can show progress in place. */
export type SimulatorHost = Host & { rewrite: ((line: string) => void) | null };

/** Where progress cannot be rewritten in place it is said this often. */
export const progressEveryMs = 10_000;

export function reportEvery(host: SimulatorHost, line: () => string): () => void {
  const { rewrite } = host;
  return every(systemClock, rewrite ? 1000 : progressEveryMs, () => (rewrite ?? host.complain)(line()));
}

export function interrupted(host: SimulatorHost): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) host.onSignal(signal, resolve);
  });
}
