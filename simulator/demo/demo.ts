import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Clock, every, sleep } from '../../protocol/host/clock.ts';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import { presets, type SimulatedStation as RegisterEntry, simulateRegister } from '../core/presets.ts';
import { seededRandom } from '../core/random.ts';
import { startUplink, type UplinkCuts } from '../faults/uplink.ts';
import type { WireFaults } from '../faults/wire-faults.ts';
import { agentMain, cloudMain, type Login, type Running, registerStations, startProgram } from '../programs.ts';
import { type SimulatedStation, simulateStation } from '../station.ts';
import { stationYaml } from './station-yaml.ts';

export type DemoConfig = UplinkCuts & {
  stations: number;
  httpPort: number;
  mqttPort: number;
  dataDir: string;
  speed: number;
  seed: number;
  faults: WireFaults;
};

/** Where a person finds it. */
export type DemoAddresses = { cloud: string; broker: string; data: string };

export type DemoIo = {
  clock: Clock;
  env: NodeJS.ProcessEnv;
  /** The servers run; the stations follow. */
  started: (where: DemoAddresses) => void;
  /** Rewrites the last line of a terminal; a plain line elsewhere. */
  progress: (line: string) => void;
  /** Aborts when the person has seen enough. */
  signal: AbortSignal;
};

/** A demo's stations are as busy as a bus terminal's at noon, so that something happens to look at. */
const busier = 12;

const graceMs = 200;

export const demoRegion = presets.tunxi.region;

/**
 * The whole main job on one machine: the cloud, and for every station a simulated board with local
 * devices and an unmodified agent process. Runs until `signal` aborts or the cloud ends.
 *
 * @throws CommandError where the cloud does not start
 */
export async function runDemo(config: DemoConfig, io: DemoIo): Promise<void> {
  try {
    await run(config, io);
  } catch (error) {
    // A terminal's Ctrl-C reaches the programs too, and one that was just starting may end before we hear it.
    await sleep(io.clock, graceMs, io.signal);
    if (!io.signal.aborted) throw error;
  }
}

async function run(config: DemoConfig, io: DemoIo): Promise<void> {
  await using running = new AsyncDisposableStack();
  // A demo's worlds begin anew: what an earlier one left would be another's history.
  rmSync(join(config.dataDir, 'demo'), { recursive: true, force: true });
  const logDir = join(config.dataDir, 'demo', 'logs');
  mkdirSync(logDir, { recursive: true });
  const cloudDir = join(config.dataDir, 'demo', 'cloud');
  const entries = simulateRegister(config.stations, 'tunxi-', 'tunxi', seededRandom(config.seed));
  const logins = await registerStations(cloudDir, entries, io.env);
  const cloud = await startCloud(config, cloudDir, logDir, io, running);
  io.started({
    cloud: `http://127.0.0.1:${cloud.http}/`,
    broker: `mqtt://127.0.0.1:${cloud.mqtt}`,
    data: join(config.dataDir, 'demo'),
  });
  const agents: Running[] = [];
  await using agentsEnd = new AsyncDisposableStack();
  agentsEnd.defer(async () => void (await Promise.all(agents.map(end))));
  for (const [index, entry] of entries.entries()) {
    if (io.signal.aborted) return;
    const login = logins.find((one) => one.id === entry.id);
    if (login) agents.push(await startStation(config, entry, login, index, cloud.mqtt, logDir, io, running));
  }
  agentsEnd.defer(every(io.clock, 1000, () => void report(cloud.http, config.stations, io)));
  const ended = cloud.exited.then((code) => `the cloud ended with code ${code}: see ${join(logDir, 'cloud.log')}`);
  const stopped = new Promise<null>((resolve) =>
    io.signal.addEventListener('abort', () => resolve(null), { once: true }),
  );
  const problem = io.signal.aborted ? null : await Promise.race([stopped, ended]);
  if (problem !== null) throw new CommandError(problem, exitCodes.unavailable);
}

type DemoCloud = { http: number; mqtt: number; exited: Promise<number> };

const startedSchema = z.object({ msg: z.literal('cloud started'), http: z.number(), mqtt: z.number() });

async function startCloud(
  config: DemoConfig,
  dataDir: string,
  logDir: string,
  io: DemoIo,
  running: AsyncDisposableStack,
): Promise<DemoCloud> {
  const { promise, resolve } = Promise.withResolvers<{ http: number; mqtt: number }>();
  const last: string[] = [];
  const args = [
    'serve',
    '--data',
    dataDir,
    '--http-port',
    String(config.httpPort),
    '--mqtt-port',
    String(config.mqttPort),
  ];
  const program = startProgram(cloudMain, args, io.env, (line) => {
    appendFileSync(join(logDir, 'cloud.log'), `${line}\n`);
    last.push(line);
    const started = startedSchema.safeParse(parseJson(line));
    if (started.success) resolve(started.data);
  });
  running.defer(() => end(program));
  const outcome = await Promise.race([promise, program.exited]);
  if (typeof outcome === 'number')
    throw new CommandError(
      last.findLast((line) => !line.startsWith('{'))?.trim() || `the cloud ended with code ${outcome}`,
      outcome,
    );
  return { ...outcome, exited: program.exited };
}

async function startStation(
  config: DemoConfig,
  entry: RegisterEntry,
  login: Login,
  index: number,
  mqttPort: number,
  logDir: string,
  io: DemoIo,
  running: AsyncDisposableStack,
): Promise<Running> {
  const { id } = entry;
  const base = join(config.dataDir, 'demo');
  const uplink = running.use(await startUplink(`mqtt://127.0.0.1:${mqttPort}`, config, io.clock));
  const simulated = running.use(
    await simulateStation(
      {
        station: id,
        seed: config.seed,
        speed: config.speed,
        visitsPerDay: presets.tunxi.visitsPerDay * busier,
        boardPorts: 3 + (index % 4),
        faults: config.faults,
        ledgerDir: join(base, 'ledger'),
        settleMs: 6000,
        wire: { kind: 'tcp', host: '127.0.0.1', port: 0 },
        localBrokerPort: 0,
      },
      io.clock,
    ),
  );
  const file = join(base, `${id}.yaml`);
  writeFileSync(file, stationYaml(yamlOf(entry, login, simulated, uplink.url, base)), { mode: 0o600 });
  const agent = startProgram(agentMain, ['run', '--config', file], io.env, (line) =>
    appendFileSync(join(logDir, `${id}.log`), `${line}\n`),
  );
  return agent;
}

function yamlOf(
  { id, capacity }: RegisterEntry,
  { password }: Login,
  simulated: SimulatedStation,
  cloudUrl: string,
  base: string,
): Parameters<typeof stationYaml>[0] {
  const { boardAddress, localBroker } = simulated;
  return { station: id, dataDir: join(base, id), cloudUrl, password, capacity, boardAddress, localBroker };
}

const statusSchema = z.object({
  stations: z.array(
    z.object({
      state: z.string(),
      freshness: z.string().nullable(),
      features: z.array(z.object({ kind: z.string(), total: z.number().nullable(), free: z.number().nullable() })),
    }),
  ),
});

async function report(httpPort: number, expected: number, io: DemoIo): Promise<void> {
  try {
    const response = await fetch(`http://127.0.0.1:${httpPort}/v1/regions/${demoRegion}/status.json`);
    const { stations } = statusSchema.parse(await response.json());
    const live = stations.filter((station) => station.freshness === 'live').length;
    const ports = stations.flatMap((station) => station.features.filter((feature) => feature.kind === 'port'));
    const sum = (pick: (port: (typeof ports)[number]) => number | null): number =>
      ports.reduce((total, port) => total + (pick(port) ?? 0), 0);
    const states = [...new Set(stations.map((station) => station.state))].map(
      (state) => `${stations.filter((station) => station.state === state).length} ${state}`,
    );
    io.progress(
      `${live} of ${expected} live · ${states.join(', ')} · ports free ${sum((port) => port.free)} of ${sum((port) => port.total)}`,
    );
  } catch (error) {
    if (!io.signal.aborted)
      io.progress(`the feed does not answer: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Ends a program the polite way; it has its own deadline. */
async function end({ child, exited }: Running): Promise<void> {
  child.kill('SIGTERM');
  await exited;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
