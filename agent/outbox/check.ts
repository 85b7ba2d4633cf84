import { Worker } from 'node:worker_threads';

/**
 * Checks a large database beside the running agent, on a thread and a connection of its own.
 *
 * @returns `ok`, or what is wrong; null where the check itself failed or was stopped
 */
export function checkBeside(path: string, signal: AbortSignal): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const worker = new Worker(new URL('./check-worker.ts', import.meta.url), { workerData: { path } });
  const stop = (): void => void worker.terminate();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  worker.once('message', (verdict: string) => resolve(verdict));
  worker.once('error', () => resolve(null));
  worker.once('exit', () => {
    signal.removeEventListener('abort', stop);
    resolve(null);
  });
  return promise;
}
