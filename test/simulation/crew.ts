import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, JobResult } from './worker.ts';

const workerFile = fileURLToPath(new URL('./worker.ts', import.meta.url));

export type CrewOptions = { size: number; execArgv?: readonly string[]; env?: NodeJS.ProcessEnv };

/**
 * Runs jobs on several processes at once, handing results out as they come.
 *
 * @param next the next job; null where there is none any more
 * @param done returns false to stop early
 */
export async function runCrew(
  options: CrewOptions,
  next: () => Job | null,
  done: (result: JobResult) => boolean,
): Promise<void> {
  let going = true;
  await Promise.all(
    Array.from({ length: options.size }, async () => {
      const worker = fork(workerFile, {
        execArgv: [...(options.execArgv ?? [])],
        env: { ...process.env, ...options.env },
      });
      try {
        for (let job = next(); job && going; job = going ? next() : null) {
          const result = await ask(worker, job);
          if (!done(result)) going = false;
        }
      } finally {
        worker.disconnect();
      }
    }),
  );
}

function ask(worker: ChildProcess, job: Job): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a worker ended with ${code}`));
    worker.once('exit', ended);
    worker.once('message', (result) => {
      worker.off('exit', ended);
      resolve(result as JobResult);
    });
    worker.send(job);
  });
}
