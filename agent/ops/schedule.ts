import cron from 'node-cron';
import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';

export type Job = { name: string; cron: string; run: () => void };

const minuteMs = 60_000;
/** Minutes that passed between two looks and are still run; more than these were a jump of the clock. */
const catchUpMinutes = 5;

/**
 * Runs jobs by cron expressions of node-cron, by the trusted clock alone: a board that boots in
 * 1970 must not take noon for the quiet hour. Without a trusted clock nothing runs.
 */
export function startSchedule(
  jobs: readonly Job[],
  { timeZone, lookMs }: { timeZone: string; lookMs: number },
  clock: Clock,
  trustedWallMs: () => number | null,
): Cancel {
  const tasks = jobs.map((job) => ({
    job,
    task: cron.createTask(job.cron, () => {}, { timezone: timeZone, name: job.name }),
  }));
  let lastMinute: number | null = null;
  const cancel = every(clock, lookMs, () => {
    const wallMs = trustedWallMs();
    if (wallMs === null) return;
    const minute = Math.floor(wallMs / minuteMs);
    const passed = lastMinute === null ? 0 : minute - lastMinute;
    const first = passed > 0 && passed <= catchUpMinutes ? minute - passed + 1 : minute;
    if (passed !== 0 || lastMinute === null) runMinutes(first, minute);
    lastMinute = minute;
  });
  function runMinutes(first: number, last: number): void {
    for (let minute = first; minute <= last; minute++) {
      for (const { job, task } of tasks) if (task.match(new Date(minute * minuteMs))) job.run();
    }
  }
  return () => {
    cancel();
    for (const { task } of tasks) void task.destroy();
  };
}
