import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { BoardModel } from '../../simulator/core/board-model.ts';
import { seededRandom } from '../../simulator/core/random.ts';
import { World } from '../../simulator/core/world.ts';
import { residentMegabytes } from './growth.ts';
import { registerStations } from './ingest.ts';
import { type Bench, type Figure, messageOf, type Rig } from './rig.ts';

const linesPerS = 20;
const tickMs = 50;
const noonMs = 12 * 3_600_000;
const ports = 6;
/** Those of the board beside its ports: board, door, people, water, env, button. */
const sensors = 6 + ports;

/** What an agent costs its board: memory, processor and card, under an hour of a station's traffic. */
export const footprintBench: Bench = {
  name: 'footprint',
  what: `an agent on ${linesPerS} lines/s and the visits of a busy hour, beside an idle Node process with the same port and connection (--set minutes=60 for an hour that takes one)`,
  async run(rig) {
    const minutes = rig.option('minutes', 10);
    const { agent, idle, events } = await measure(rig, minutes);
    const cpuLimit = 1.5 * idle.cpuPct + 1;
    return [
      {
        name: 'agent resident memory, highest',
        unit: 'MB',
        value: agent.residentMb,
        baseline: { name: 'idle Node', value: idle.residentMb },
        ratio: agent.residentMb / idle.residentMb,
        goal: { text: '≤ 90 MB', met: agent.residentMb <= 90 },
      },
      {
        name: 'agent processor',
        unit: '% of a core',
        value: agent.cpuPct,
        baseline: { name: 'idle Node', value: idle.cpuPct },
        ratio: agent.cpuPct / idle.cpuPct,
        goal: { text: `≤ 1.5 × idle + 1 % = ${cpuLimit.toFixed(2)} %`, met: agent.cpuPct <= cpuLimit },
      },
      { name: 'events committed', unit: 'events/hour', value: events },
      { name: 'written to disk', unit: 'bytes/event', value: agent.writtenBytes / Math.max(1, events) },
      { name: 'written to disk, were every hour as busy', unit: 'MB/day', value: (agent.writtenBytes * 24) / 1e6 },
    ] satisfies Figure[];
  },
};

type Cost = { residentMb: number; cpuPct: number; writtenBytes: number };

async function measure(rig: Rig, minutes: number): Promise<{ agent: Cost; idle: Cost; events: number }> {
  const cloudDir = join(rig.directory, 'footprint-cloud');
  const [login] = await registerStations(cloudDir, 1);
  const cloud = rig.program('cloud', ['serve', '--data', cloudDir, '--http-port', '0', '--mqtt-port', '0']);
  const { mqtt } = await cloud.started('cloud started');
  const broker = await rig.mosquitto();
  const feed = await openFeed(rig, 60 / minutes);
  const idle = rig.fork('idle.ts');
  idle.send({ wirePort: feed.port, url: broker.url });
  await messageOf(idle);
  const dataDir = join(rig.directory, 'footprint-agent');
  const config = join(rig.directory, 'footprint.yaml');
  writeFileSync(
    config,
    [
      `station: ${login?.id}`,
      `dataDir: ${dataDir}`,
      `cloud: { url: 'mqtt://127.0.0.1:${mqtt}', username: ${login?.id}, password: ${login?.password} }`,
      `sensors: [{ driver: board, port: 'tcp://127.0.0.1:${feed.port}' }]`,
      '',
    ].join('\n'),
  );
  // Types are stripped once, as on a board: the second start finds the result.
  const warm = rig.program('agent', ['run', '--config', config]);
  await warm.started('link is up');
  await warm.end();
  const agent = rig.program('agent', ['run', '--config', config]);
  await agent.started('link is up');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const processes = [agent.child.pid ?? 0, idle.pid ?? 0];
  const before = processes.map(usage);
  const firstEvent = eventCount(dataDir);
  const startMs = performance.now();
  let highest = processes.map(() => 0);
  for (let second = 0; second < minutes * 60; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    highest = processes.map((pid, index) => Math.max(highest[index] ?? 0, residentMegabytes(pid)));
    if (second % 60 === 59) rig.progress(`footprint: minute ${(second + 1) / 60} of ${minutes}`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const costs = processes.map((pid, index): Cost => {
    const now = usage(pid);
    const then = before[index] ?? now;
    return {
      residentMb: highest[index] ?? 0,
      cpuPct: ((now.cpuS - then.cpuS) / seconds) * 100,
      writtenBytes: now.writtenBytes - then.writtenBytes,
    };
  });
  const events = eventCount(dataDir) - firstEvent;
  await agent.end();
  const [agentCost, idleCost] = costs;
  if (!agentCost || !idleCost) throw new Error('a process ended early');
  return { agent: agentCost, idle: idleCost, events };
}

/** A simulated board that speaks at the rate, to whoever connects; its world's hour passes `speed` times faster. */
async function openFeed(rig: Rig, speed: number): Promise<{ port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const world = new World({ visitsPerDay: 60, ports }, seededRandom(1), noonMs);
  const startMs = performance.now();
  const model = new BoardModel('B1', startMs, { repeatMs: (sensors * 1000) / linesPerS });
  const timer = setInterval(() => {
    const nowMs = performance.now();
    world.advance(noonMs + (nowMs - startMs) * speed);
    const lines = model.lines(world.sensed(), nowMs).map(({ line }) => line);
    for (const socket of sockets) socket.write(lines.join(''), 'latin1');
  }, tickMs);
  rig.defer(() => {
    clearInterval(timer);
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0 };
}

const ticksPerS = 100;

function usage(pid: number): { cpuS: number; writtenBytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const written = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'));
  return { cpuS: (Number(fields[11]) + Number(fields[12])) / ticksPerS, writtenBytes: Number(written?.[1] ?? 0) };
}

function eventCount(dataDir: string): number {
  const db = new Database(join(dataDir, 'outbox.db'), { readonly: true });
  try {
    return db.prepare<[], { n: number }>('SELECT count(*) AS n FROM event').get()?.n ?? 0;
  } finally {
    db.close();
  }
}
