import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { SimDisks } from './disk/sim-disk.ts';
import { shrink } from './shrink.ts';
import { type SimulationPlan, type SimulationResult, simulate } from './simulate.ts';

/** A child process that runs plans: its disks are the process's own. */
export type Job = { plan: SimulationPlan; shrinkRuns: number; logLevel: string };
export type JobResult = SimulationResult & { seed: number; cpuMs: number; shrunk: SimulationPlan | null };

const directory = mkdtempSync(join(tmpdir(), 'yizhan-simulation-'));
const disks = new SimDisks(directory);

process.on('message', ({ plan, shrinkRuns, logLevel }: Job) => {
  void work(plan, shrinkRuns, logLevel).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

async function work(plan: SimulationPlan, shrinkRuns: number, logLevel: string): Promise<JobResult> {
  const log = pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }));
  const before = process.cpuUsage();
  const result = await simulate(plan, disks, log);
  const { user, system } = process.cpuUsage(before);
  const silent = pino({ level: 'silent' });
  const shrunk =
    result.violation && shrinkRuns > 0
      ? await shrink(plan, result.violation, (smaller) => simulate(smaller, disks, silent), shrinkRuns)
      : null;
  return { ...result, seed: plan.seed, cpuMs: (user + system) / 1000, shrunk };
}
