import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBootId } from '../../agent/ops/host-facts.ts';
import { nodeDisk } from '../../agent/outbox/disk.ts';
import { openOutbox } from '../../agent/outbox/open-outbox.ts';
import type { AckerReport } from './parts/acker.ts';
import type { MemoryJob } from './parts/memory-publisher.ts';
import { type Bench, type Figure, messageOf, type Rig, ratioFigure } from './rig.ts';

const eventsPerBatch = 200;
const window = 4;
const body = JSON.stringify({ kind: 'people', sensor: 'people', in: 1, out: 0, inside: 3, basis: 'counted' });

/** How fast a long backlog leaves, and whether it delays the first word after a start. */
export const drainBench: Bench = {
  name: 'drain',
  what: 'a backlog of 1,000,000 events, against bare MQTT.js with the same batches from memory and the same window',
  async run(rig) {
    const events = rig.option('events', 1_000_000);
    const full = join(rig.directory, 'full');
    rig.progress(`filling an outbox with ${events.toLocaleString('en')} events`);
    await fill(full, events);
    const figures: Figure[] = [];
    for (const rttMs of [0, 50]) {
      rig.progress(`draining at ${rttMs} ms round trip`);
      const house: number[] = [];
      const bare: number[] = [];
      // A round trip is the same at every time; without one the machine's noise decides.
      for (let round = 0; round < (rttMs === 0 ? 3 : 1); round++) {
        house.push((await drain(rig, full, events, rttMs, true)).rate);
        bare.push(await bareRate(rig, events, rttMs));
      }
      const baseline = { name: 'bare MQTT.js', value: median(bare) };
      figures.push(ratioFigure(`drain at ${rttMs} ms round trip`, 'events/s', median(house), baseline, 0.5));
    }
    figures.push(...(await firstWords(rig, full, events)));
    return figures;
  },
};

/** Starts with and without a backlog, in turn, because machines are noisy. */
async function firstWords(rig: Rig, full: string, events: number): Promise<Figure[]> {
  const rounds = rig.option('rounds', 7);
  const times = {
    full: { presence: [] as number[], batch: [] as number[] },
    empty: { presence: [] as number[], batch: [] as number[] },
  };
  for (let round = 1; round <= rounds; round++) {
    rig.progress(`first words, round ${round} of ${rounds}`);
    for (const which of ['full', 'empty'] as const) {
      const { presenceMs, batchMs } = await drain(
        rig,
        which === 'full' ? full : join(rig.directory, `empty-${round}`),
        which === 'full' ? events : 0,
        0,
        false,
      );
      times[which].presence.push(presenceMs);
      times[which].batch.push(batchMs);
    }
  }
  return (['presence', 'batch'] as const).map((what) => {
    const value = median(times.full[what]);
    const baseline = { name: 'empty outbox', value: median(times.empty[what]) };
    const ratio = value / baseline.value;
    return {
      name: `first ${what} after a start with the backlog`,
      unit: 'ms',
      value,
      baseline,
      ratio,
      goal: { text: '≤ 1.2 × empty outbox', met: ratio <= 1.2 },
    };
  });
}

async function fill(dataDir: string, events: number): Promise<void> {
  const { outbox } = await openOutbox({
    disk: nodeDisk,
    dataDir,
    boot: readBootId(),
    newId: () => randomBytes(16).toString('hex'),
    wallMs: Date.now(),
    checkInlineMaxBytes: 0,
  });
  const monoMs = Number(process.hrtime.bigint() / 1_000_000n);
  await outbox.anchor({ boot: readBootId(), monoMs, wallMs: Date.now(), source: 'cloud' });
  for (let done = 0; done < events; done += 10_000) {
    await outbox.append(
      Array.from({ length: Math.min(10_000, events - done) }, () => ({ bodyJson: body, transition: true, monoMs })),
      {},
    );
  }
  await outbox.close();
}

type Drained = { rate: number; presenceMs: number; batchMs: number };

/** Runs an agent on the outbox; with `whole` until it is empty, else until its first batch. */
async function drain(rig: Rig, dataDir: string, events: number, rttMs: number, whole: boolean): Promise<Drained> {
  const acker = rig.fork('acker.ts');
  acker.send({ delayMs: rttMs });
  const port = await reported(acker, 'port', (report) => (report.kind === 'port' ? report.port : null));
  mkdirSync(dataDir, { recursive: true });
  const config = join(dataDir, 'station.yaml');
  writeFileSync(config, agentYaml(dataDir, port));
  const startMs = Date.now();
  const presence = reported(acker, 'presence', (report) => (report.kind === 'first-presence' ? report.atMs : null));
  const batch = reported(acker, 'batch', (report) => (report.kind === 'first-batch' ? report.atMs : null));
  const last = whole
    ? reported(acker, 'the last event', (report) =>
        report.kind === 'progress' && report.events >= events - (events % 100_000) ? report : null,
      )
    : null;
  const agent = rig.program('agent', ['run', '--config', config]);
  const presenceMs = (await presence) - startMs;
  const batchAtMs = await batch;
  const end = last === null ? null : await last;
  await agent.end('SIGKILL');
  acker.kill();
  return { presenceMs, batchMs: batchAtMs - startMs, rate: end ? end.events / ((end.atMs - batchAtMs) / 1000) : 0 };
}

async function bareRate(rig: Rig, events: number, rttMs: number): Promise<number> {
  const acker = rig.fork('acker.ts');
  acker.send({ delayMs: rttMs });
  const port = await reported(acker, 'port', (report) => (report.kind === 'port' ? report.port : null));
  const publisher = rig.fork('memory-publisher.ts');
  const event = `{"at":1795399200000,${body.slice(1)}`;
  publisher.send({
    port,
    batches: Math.floor(events / eventsPerBatch),
    eventsPerBatch,
    window,
    event,
  } satisfies MemoryJob);
  const { seconds } = await messageOf<{ seconds: number }>(publisher);
  publisher.kill();
  acker.kill();
  return events / seconds;
}

function reported<T>(
  acker: ReturnType<Rig['fork']>,
  what: string,
  pick: (report: AckerReport) => T | null,
): Promise<T> {
  return new Promise((resolve, reject) => {
    acker.on('message', (report: AckerReport) => {
      const picked = pick(report);
      if (picked !== null) resolve(picked);
    });
    acker.once('exit', () => reject(new Error(`the acker ended before ${what}`)));
  });
}

/** No sensor speaks: what leaves is the backlog alone. The rate bound is off, the machine is measured. */
function agentYaml(dataDir: string, port: number): string {
  return [
    'station: bench',
    `dataDir: ${dataDir}`,
    `cloud: { url: 'mqtt://127.0.0.1:${port}', username: bench, password: bench }`,
    `link: { windowBatches: ${window}, maxBatchesPerS: 0 }`,
    'sensors: [{ driver: board, port: tcp://127.0.0.1:9 }]',
    'outbox: { maxRows: 10000000, maxBytes: 4000000000 }',
    '',
  ].join('\n');
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
