import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { registerStations } from './ingest.ts';
import type { PublishJob } from './parts/station-publisher.ts';
import { type Bench, type Figure, messageOf, type Rig } from './rig.ts';

/** How the cloud grows with its stations: a table, no goal. */
export const growthBench: Bench = {
  name: 'growth',
  what: 'ingest rate, memory and restart time of the cloud at 10, 1,000 and 12,100 stations',
  async run(rig) {
    const figures: Figure[] = [];
    for (const stations of [10, 1000, Math.round(rig.option('stations', 12_100))]) {
      rig.progress(`growth: ${stations.toLocaleString('en')} stations`);
      figures.push(...(await measure(rig, stations)));
    }
    return figures;
  },
};

async function measure(rig: Rig, count: number): Promise<Figure[]> {
  const dataDir = join(rig.directory, `growth-${count}`);
  const stations = await registerStations(dataDir, count);
  const args = ['serve', '--data', dataDir, '--http-port', '0', '--mqtt-port', '0'];
  const cloud = rig.program('cloud', args);
  const { mqtt } = await cloud.started('cloud started');
  const publisher = rig.fork('station-publisher.ts');
  const messages = Math.max(count * 10, 100_000);
  publisher.send({ port: Number(mqtt), stations, messages, inFlight: 8, answers: 'acks' } satisfies PublishJob);
  const { messages: done, seconds } = await messageOf<{ messages: number; seconds: number }>(publisher);
  const residentMb = residentMegabytes(cloud.child.pid ?? 0);
  publisher.kill();
  await cloud.end();
  const startMs = performance.now();
  const again = rig.program('cloud', args);
  await again.started('cloud started');
  const restartMs = performance.now() - startMs;
  await again.end();
  const name = (what: string): string => `${count.toLocaleString('en')} stations: ${what}`;
  return [
    { name: name('ingest'), unit: 'events/s', value: done / seconds },
    { name: name('resident memory'), unit: 'MB', value: residentMb },
    { name: name('restart'), unit: 'ms', value: restartMs },
  ];
}

export function residentMegabytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1000;
}
