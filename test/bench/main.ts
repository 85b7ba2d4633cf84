import { Command } from 'commander';
import { drainBench } from './drain.ts';
import { footprintBench } from './footprint.ts';
import { growthBench } from './growth.ts';
import { ingestBench } from './ingest.ts';
import { latencyBench } from './latency.ts';
import { type Bench, createRig, type Figure } from './rig.ts';
import { wireBench } from './wire.ts';

const benches: readonly Bench[] = [ingestBench, wireBench, drainBench, latencyBench, growthBench, footprintBench];

const program = new Command('bench')
  .description('Figures of the house, each with its baseline of the same run: machines are noisy, ratios less so')
  .argument('[name...]', `which: ${benches.map(({ name }) => name).join(', ')} (default: all)`)
  .option('--set <name=number...>', 'a setting of a bench, such as messages=50000')
  .option('--json', 'one JSON array on stdout')
  .parse();
const names = program.args;
const { set = [], json = false }: { set?: string[]; json?: boolean } = program.opts();
const settings = new Map(set.map((one): [string, number] => [one.split('=')[0] ?? '', Number(one.split('=')[1])]));

function option(name: string, fallback: number): number {
  const value = settings.get(name) ?? fallback;
  if (Number.isFinite(value)) return value;
  throw new Error(`--set ${name}: expected a number`);
}

function line({ name, value, unit, baseline, ratio, goal }: Figure): string {
  const told = `${name}: ${format(value)} ${unit}`;
  const against = baseline ? `, ${baseline.name} ${format(baseline.value)} ${unit}` : '';
  const times = ratio === undefined ? '' : `, ratio ${ratio.toFixed(2)}`;
  return `${told}${against}${times}${goal ? `   [goal ${goal.text}: ${goal.met ? 'met' : 'MISSED'}]` : ''}`;
}

function format(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const unknown = names.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0)
  program.error(`no bench ${unknown.join(', ')}: expected ${benches.map(({ name }) => name).join(', ')}`, {
    exitCode: 64,
  });
const figures: (Figure & { bench: string })[] = [];
for (const bench of benches.filter(({ name }) => names.length === 0 || names.includes(name))) {
  process.stderr.write(`${bench.name}: ${bench.what}\n`);
  await using rig = createRig((text) => void process.stderr.write(`  ${text}\n`), option);
  for (const figure of await bench.run(rig)) {
    figures.push({ bench: bench.name, ...figure });
    if (!json) print(line(figure));
  }
}
if (json) print(JSON.stringify(figures));
