import { fileURLToPath } from 'node:url';
import { runCrew } from '../crew.ts';
import { faultKinds } from '../faults/draw.ts';
import { planOf } from '../plan.ts';
import { mutants } from './mutants.ts';

const hook = fileURLToPath(new URL('./hook.ts', import.meta.url));

/**
 * Plants every mutant, one after the other, and lets seeds run until one shows it.
 *
 * @returns the exit code: 1 where a mutant lives
 */
export async function runMutants(only: string | null, processes: number, say: (line: string) => void): Promise<number> {
  const chosen = mutants.filter(({ name }) => only === null || name === only);
  if (chosen.length === 0) {
    say(`no mutant ${only}: expected one of ${mutants.map(({ name }) => name).join(', ')}`);
    return 64;
  }
  let living = 0;
  for (const { name, kinds = faultKinds, seeds = 60, hours = 8, rate = 1 } of chosen) {
    const startMs = performance.now();
    let seed = 0;
    let caught: { seed: number; detail: string } | null = null;
    await runCrew(
      { size: processes, execArgv: ['--import', hook], env: { YIZHAN_MUTANT: name } },
      () => {
        seed += 1;
        if (seed > seeds) return null;
        return {
          plan: planOf(seed, { hours, stations: 3, perStationHour: rate, kinds }),
          shrinkRuns: 0,
          logLevel: 'silent',
        };
      },
      (result) => {
        if (result.violation) caught ??= { seed: result.seed, detail: result.violation.detail };
        return caught === null;
      },
    );
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    const found = caught as { seed: number; detail: string } | null;
    if (found) say(`caught  ${name}  by seed ${found.seed} in ${seconds} s: ${found.detail.slice(0, 160)}`);
    else {
      living += 1;
      say(`LIVES   ${name}  after ${seeds} seeds and ${seconds} s`);
    }
  }
  say(`${chosen.length - living} of ${chosen.length} mutants caught`);
  return living === 0 ? 0 : 1;
}
