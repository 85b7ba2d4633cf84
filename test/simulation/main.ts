import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCrew } from './crew.ts';
import { faultKinds } from './faults/draw.ts';
import type { FaultKind } from './faults/fault.ts';
import { runMutants } from './mutants/run-mutants.ts';
import { planOf } from './plan.ts';
import type { SimulationPlan } from './simulate.ts';
import type { JobResult } from './worker.ts';

const hourMs = 3_600_000;
const traceFolder = '.simulation';

type Options = {
  seeds: number;
  from: number;
  hours: number;
  stations: number;
  rate: number;
  kinds?: string;
  processes: number;
  minutes?: number;
  shrink: number;
  mutants?: true | string;
  replay?: string;
  log: string;
  json?: true;
};

const program = new Command('simulate')
  .description('A small fleet, its broker and its cloud under a virtual clock, and everything that can go wrong')
  .option('--seeds <number>', 'how many', Number, 100)
  .option('--from <seed>', 'the first one', Number, 1)
  .option('--hours <number>', 'simulated hours of each', Number, 24)
  .option('--stations <number>', 'stations of each', Number, 5)
  .option('--rate <number>', 'faults for each station and hour', Number, 0.5)
  .option('--kinds <list>', `faults that may come, separated by commas: ${faultKinds.join(', ')}`)
  .option('--processes <number>', 'how many run side by side', Number, 2)
  .option('--minutes <number>', 'begin no new one after so long', Number)
  .option('--shrink <runs>', 'runs that may be spent to shrink a failure', Number, 60)
  .option('--mutants [name]', 'plant the wrong versions of the rules one by one: each has to be caught')
  .option('--replay <file>', 'run a trace again')
  .option('--log <level>', "the programs' own log, on stderr", 'silent')
  .option('--json', 'one JSON object on stdout')
  .parse();
const options = program.opts<Options>();

process.exitCode = options.mutants
  ? await runMutants(options.mutants === true ? null : options.mutants, options.processes, say)
  : await runSeeds();

function say(line: string): void {
  (options.json ? process.stderr : process.stdout).write(`${line}\n`);
}

async function runSeeds(): Promise<number> {
  const kinds = options.kinds === undefined ? faultKinds : checkedKinds(options.kinds);
  const { hours, stations, rate } = options;
  const plans =
    options.replay === undefined ? null : [JSON.parse(readFileSync(options.replay, 'utf8')) as SimulationPlan];
  const count = plans?.length ?? options.seeds;
  const startMs = performance.now();
  const failures: JobResult[] = [];
  let begun = 0;
  let finished = 0;
  let stationHours = 0;
  let events = 0;
  let cpuMs = 0;
  await runCrew(
    { size: Math.min(options.processes, count) },
    () => {
      const over = options.minutes !== undefined && performance.now() - startMs > options.minutes * 60_000;
      if (begun >= count || over) return null;
      const plan = plans?.[begun] ?? planOf(options.from + begun, { hours, stations, perStationHour: rate, kinds });
      begun += 1;
      return { plan, shrinkRuns: plans ? 0 : options.shrink, logLevel: options.log };
    },
    (result) => {
      finished += 1;
      stationHours += (result.simulatedMs / hourMs) * stations;
      events += result.events;
      cpuMs += result.cpuMs;
      if (result.violation) failures.push(report(result));
      else if (finished % 20 === 0 || finished === count) say(progress());
      return true;
    },
  );
  const summary = {
    seeds: finished,
    failures: failures.map(({ seed, violation }) => ({ seed, ...violation })),
    stationHours: Math.round(stationHours),
    events,
    stationHoursPerCpuMinute: Math.round(stationHours / (cpuMs / 60_000)),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else say(`${progress()} · ${failures.length} failures`);
  return failures.length === 0 ? 0 : 1;

  function progress(): string {
    const perSecond = stationHours / ((performance.now() - startMs) / 1000);
    return `${finished} of ${count} seeds · ${Math.round(stationHours)} station-hours, ${perSecond.toFixed(1)} a second · ${events} events`;
  }
}

/** Keeps the smallest trace and says how to see it again. */
function report(result: JobResult): JobResult {
  const { seed, violation, shrunk } = result;
  say(`seed ${seed}: ${violation?.detail} (at ${((violation?.atMs ?? 0) / hourMs).toFixed(2)} h)`);
  if (!shrunk) return result;
  mkdirSync(traceFolder, { recursive: true });
  const file = join(traceFolder, `seed-${seed}.json`);
  writeFileSync(file, `${JSON.stringify(shrunk, null, 1)}\n`);
  for (const fault of shrunk.faults) say(`  ${JSON.stringify(fault)}`);
  say(`  again: npm run simulate -- --replay ${file}`);
  return result;
}

function checkedKinds(list: string): FaultKind[] {
  return list
    .split(',')
    .map(
      (name) =>
        faultKinds.find((kind) => kind === name.trim()) ??
        program.error(`--kinds: expected some of ${faultKinds.join(', ')}, found ${JSON.stringify(name)}`, {
          exitCode: 64,
        }),
    );
}
