import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { formatBoardLine } from '../../protocol/board-line.ts';
import { registerStations } from './ingest.ts';
import type { RelayJob } from './parts/relay.ts';
import { type Bench, type Figure, messageOf, type Rig } from './rig.ts';

/** Two changes closer together than this would be told together. */
const spacingMs = 1250;

/** From a line on the wire to the event stream: agent, broker, cloud and feed, and the disk beside them. */
export const latencyBench: Bench = {
  name: 'latency',
  what: 'wire to event stream beyond the coalescing time, beside a bare relay without storage',
  async run(rig) {
    const samples = rig.option('samples', 100);
    const figures: Figure[] = [];
    const house = await houseLatencies(rig, samples);
    const bare = await relayLatencies(rig, samples);
    for (const [name, share] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      const value = quantile(house, share);
      const baseline = { name: 'bare relay', value: quantile(bare, share) };
      const ratio = value / baseline.value;
      const goal = name === 'p99' ? { goal: { text: '≤ 3 × bare relay', met: ratio <= 3 } } : {};
      figures.push({ name: `wire to stream, ${name}`, unit: 'ms', value, baseline, ratio, ...goal });
    }
    return figures;
  },
};

async function houseLatencies(rig: Rig, samples: number): Promise<number[]> {
  const dataDir = join(rig.directory, 'latency-cloud');
  const [login] = await registerStations(dataDir, 1);
  const cloud = rig.program('cloud', ['serve', '--data', dataDir, '--http-port', '0', '--mqtt-port', '0']);
  const { http, mqtt } = await cloud.started('cloud started');
  const wire = await openWire(rig);
  const config = join(rig.directory, 'latency.yaml');
  writeFileSync(
    config,
    [
      `station: ${login?.id}`,
      `dataDir: ${join(rig.directory, 'latency-agent')}`,
      `cloud: { url: 'mqtt://127.0.0.1:${mqtt}', username: ${login?.id}, password: ${login?.password} }`,
      `sensors: [{ driver: board, port: 'tcp://127.0.0.1:${wire.port}' }]`,
      // A regular report within a second before a sample would be coalescing, not latency.
      'reportIntervalS: 600',
      '',
    ].join('\n'),
  );
  const agent = rig.program('agent', ['run', '--config', config]);
  await agent.started('link is up');
  const events = await follow(`http://127.0.0.1:${http}/v1/stream?region=341002`);
  const latencies = await measure('house', rig, samples, wire, (fault) =>
    events.until((text) => text.includes('"kind":"water_hot"') && text.includes(`"faulty":${fault}`)),
  );
  await agent.end();
  await cloud.end();
  return latencies;
}

async function relayLatencies(rig: Rig, samples: number): Promise<number[]> {
  const broker = await rig.mosquitto();
  const wire = await openWire(rig);
  const serving = rig.fork('relay.ts');
  serving.send({ role: 'serve', url: broker.url } satisfies RelayJob);
  const { port } = await messageOf<{ port: number }>(serving);
  const publishing = rig.fork('relay.ts');
  publishing.send({ role: 'publish', wirePort: wire.port, url: broker.url } satisfies RelayJob);
  await messageOf(publishing);
  const events = await follow(`http://127.0.0.1:${port}/`);
  return measure('bare relay', rig, samples, wire, (fault) => events.until((text) => text.includes(`fault=${fault}`)));
}

/** Turns a dispenser's fault on and off: each is a public change of its own. */
async function measure(
  what: string,
  rig: Rig,
  samples: number,
  wire: Wire,
  told: (fault: number) => Promise<void>,
): Promise<number[]> {
  const socket = await wire.connected;
  const latencies: number[] = [];
  let n = 0;
  const say = (sensor: string, fields: Record<string, number>): void => {
    socket.write(formatBoardLine({ board: 'B1', n: n++, sensor, fields }));
  };
  const speak = setInterval(() => say('board', { up: Math.round(performance.now() / 1000) }), 5000);
  say('board', { up: 1 });
  say('water', { tank: 80, hot: 90, ml: 0, fault: 0 });
  await told(0);
  for (let sample = 0; sample < samples; sample++) {
    await new Promise((resolve) => setTimeout(resolve, spacingMs));
    const fault = sample % 2 === 0 ? 1 : 0;
    const arrived = told(fault);
    const start = performance.now();
    say('water', { tank: 80, hot: 90, ml: 0, fault });
    await arrived;
    latencies.push(performance.now() - start);
    if ((sample + 1) % 20 === 0) rig.progress(`latency, ${what}: ${sample + 1} of ${samples}`);
  }
  clearInterval(speak);
  socket.destroy();
  return latencies;
}

type Wire = { port: number; connected: Promise<Socket> };

async function openWire(rig: Rig): Promise<Wire> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  rig.defer(() => void server.close());
  const connected = once(server, 'connection').then(([socket]: Socket[]) => {
    socket?.setNoDelay(true);
    return socket as Socket;
  });
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, connected };
}

/** An event stream whose text can be waited for. */
async function follow(url: string): Promise<{ until: (matches: (text: string) => boolean) => Promise<void> }> {
  let waiting: { matches: (text: string) => boolean; resolve: () => void } | null = null;
  await new Promise<void>((resolve) => {
    get(url, (response) => {
      resolve();
      response.setEncoding('utf8').on('data', (text: string) => {
        if (!waiting?.matches(text)) return;
        waiting.resolve();
        waiting = null;
      });
    });
  });
  return {
    until: (matches) =>
      new Promise((resolve) => {
        waiting = { matches, resolve };
      }),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
