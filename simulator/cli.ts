import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { every, sleep, systemClock } from '../protocol/host/clock.ts';
import { CommandError, type Host, integerOption, runCommandLine } from '../protocol/host/command-line.ts';
import { exitCodes } from '../protocol/host/exit-codes.ts';
import { openMqttSession } from '../protocol/host/mqtt-session.ts';
import { type PresetName, presets, simulateRegister } from './core/presets.ts';
import { seededRandom } from './core/random.ts';
import { runDemo } from './demo/demo.ts';
import { noFaults, type WireFaults } from './faults/wire-faults.ts';
import { Fleet, type FleetCounts } from './fleet/fleet.ts';
import { registerStations } from './programs.ts';
import { simulateStation } from './station.ts';
import { type VerifyResult, verify } from './verify/verify.ts';

/** A host whose terminal can show progress in place. */
export type SimulatorHost = Host & { rewrite: ((line: string) => void) | null };

const progressEveryMs = 10_000;

type WireOptions = {
  station: string;
  seed: number;
  speed: number;
  visits: number;
  ports: number;
  ledger: string;
  tcp?: string;
  pty?: string;
  settle: number;
  json?: true;
};
type FaultOptions = { garble: number; drop: number; unplugEvery: number; unplugFor: number; restartEvery: number };

/** The simulator's command line. @returns the exit code */
export function runSimulator(argv: readonly string[], host: SimulatorHost): Promise<number> {
  const program = new Command('simulator')
    .description(
      'Stations without hardware: boards on real bytes, devices on real MQTT, fleets, and the truth to hold a cloud against',
    )
    .version(manifest.version);
  wireCommand(program.command('board').description('one sensor board on TCP or a PTY')).action(
    (options: WireOptions & FaultOptions) => runStation(options, null, host),
  );
  wireCommand(
    program.command('station').description('a board, and the local broker with its Zigbee and Tasmota devices'),
  )
    .option('--local-port <port>', 'port of the local broker, 0 for any', integerOption('--local-port', 0, 65_535), 0)
    .action((options: WireOptions & FaultOptions & { localPort: number }) =>
      runStation(options, options.localPort, host),
    );
  fleetCommand(program, host);
  demoCommand(program, host);
  verifyCommand(program, host);
  return runCommandLine(program, argv, host);
}

function wireCommand(command: Command): Command {
  return faultOptions(command)
    .option('--tcp <host:port>', 'listen as a serial server (default: 127.0.0.1:0, any port)')
    .option('--pty <path>', 'make a pseudo-terminal at this path, by socat')
    .option('--station <id>', 'name in the ledger', 'station-1')
    .option('--seed <number>', 'the same seed gives the same world', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 1)
    .option('--visits <number>', 'visits a day', positive('--visits'), presets.tunxi.visitsPerDay)
    .option('--ports <number>', 'charging ports of the board', integerOption('--ports', 0, 16), 4)
    .option('--settle <seconds>', 'nothing happens for this long after the first listener', positive('--settle'), 6)
    .option('--ledger <dir>', 'where the truth is written', 'yizhan-ledger')
    .option('--json', 'one JSON object on stdout once it runs');
}

function faultOptions(command: Command): Command {
  const share = (name: string): ((text: string) => number) => between(name, 0, 1);
  return command
    .option('--garble <share>', 'share of lines in which a byte is another one', share('--garble'), 0)
    .option('--drop <share>', 'share of lines that never arrive', share('--drop'), 0)
    .option('--unplug-every <seconds>', 'pull the plug this often; 0 never', between('--unplug-every', 0, 1e6), 0)
    .option('--unplug-for <seconds>', 'and leave it out for this long', positive('--unplug-for'), noFaults.unplugForS)
    .option(
      '--restart-every <seconds>',
      'restart the board this often; 0 never',
      between('--restart-every', 0, 1e6),
      0,
    );
}

function wireFaults({ garble, drop, unplugEvery, unplugFor, restartEvery }: FaultOptions): WireFaults {
  return { garble, drop, unplugEveryS: unplugEvery, unplugForS: unplugFor, restartEveryS: restartEvery };
}

async function runStation(
  options: WireOptions & FaultOptions,
  localBrokerPort: number | null,
  host: SimulatorHost,
): Promise<void> {
  if (options.tcp !== undefined && options.pty !== undefined)
    throw new CommandError('expected one of --tcp and --pty', exitCodes.usage);
  const { station, seed, speed, visits, ports, ledger, settle } = options;
  await using simulated = await simulateStation(
    {
      station,
      seed,
      speed,
      visitsPerDay: visits,
      boardPorts: ports,
      faults: wireFaults(options),
      ledgerDir: resolve(ledger),
      settleMs: settle * 1000,
      wire:
        options.pty === undefined
          ? { kind: 'tcp', ...hostAndPort(options.tcp ?? '127.0.0.1:0') }
          : { kind: 'pty', link: resolve(options.pty) },
      localBrokerPort,
    },
    systemClock,
  );
  const { boardAddress: board, localBroker } = simulated;
  if (options.json) host.print(JSON.stringify({ station, board, localBroker }));
  else {
    host.print(`board         ${board}`);
    if (localBroker !== null) host.print(`local broker  ${localBroker}`);
  }
  await interrupted(host);
}

type FleetOptions = {
  stations: number;
  preset: PresetName;
  cloud: string;
  data: string;
  seed: number;
  speed: number;
  visits?: number;
  ports: number;
  interval: number;
  ledger: string;
  cutUplinkEvery: number;
  cutUplinkFor: number;
  connectRate: number;
  minutes: number;
  json?: true;
};

function fleetCommand(program: Command, host: SimulatorHost): void {
  program
    .command('fleet')
    .description('stations that speak MQTT to a cloud directly, thousands in one process')
    .option('--stations <number>', 'how many', integerOption('--stations', 1, 200_000), 100)
    .addOption(new Option('--preset <name>', 'region and visits a day').choices(Object.keys(presets)).default('tunxi'))
    .option('--cloud <url>', 'the broker that the cloud hears', 'mqtt://127.0.0.1:1883')
    .option('--data <dir>', "the cloud's data directory: the stations are put into its register", 'yizhan-cloud')
    .option('--seed <number>', 'the same seed gives the same worlds', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 1)
    .option('--visits <number>', "visits a day (default: the preset's)", positive('--visits'))
    .option('--ports <number>', 'charging ports of each', integerOption('--ports', 0, 16), 4)
    .option('--interval <seconds>', 'report interval', integerOption('--interval', 1, 3600), 30)
    .option('--ledger <dir>', 'where the truth is written', 'yizhan-ledger')
    .option(
      '--cut-uplink-every <seconds>',
      'each station loses its uplink this often on average; 0 never',
      between('--cut-uplink-every', 0, 1e6),
      0,
    )
    .option('--cut-uplink-for <seconds>', 'and for this long', positive('--cut-uplink-for'), 10)
    .option('--connect-rate <number>', 'new connections a second', positive('--connect-rate'), 200)
    .option('--minutes <number>', 'end after this long; 0 runs until interrupted', between('--minutes', 0, 1e6), 0)
    .option('--json', 'one JSON object on stdout at the end')
    .action((options: FleetOptions) => runFleet(options, host));
}

async function runFleet(options: FleetOptions, host: SimulatorHost): Promise<void> {
  const {
    stations,
    preset,
    data,
    seed,
    speed,
    ports,
    interval,
    ledger,
    cutUplinkEvery,
    cutUplinkFor,
    connectRate,
    minutes,
  } = options;
  const prefix = `fleet-${Date.now().toString(36)}-`;
  const entries = simulateRegister(stations, prefix, preset, seededRandom(seed));
  const logins = await registerStations(resolve(data), entries, processEnv(host));
  const fleet = new Fleet(
    {
      url: options.cloud,
      logins,
      seed,
      visitsPerDay: options.visits ?? presets[preset].visitsPerDay,
      ports,
      speed,
      reportIntervalS: interval,
      ledgerDir: resolve(ledger),
      cutEveryS: cutUplinkEvery,
      cutForS: cutUplinkFor,
      connectPerS: connectRate,
    },
    openMqttSession,
    systemClock,
  );
  const stopReporting = reportEvery(host, () => fleetLine(fleet.counts, stations));
  const over = minutes > 0 ? sleep(systemClock, minutes * 60_000) : new Promise<void>(() => {});
  await Promise.race([interrupted(host), over]);
  const drained = await fleet.drain(systemClock, 30_000);
  stopReporting();
  await fleet.stop();
  if (options.json) host.print(JSON.stringify({ ...fleet.counts, drained }));
  else host.print(`${fleetLine(fleet.counts, stations)}${drained ? '' : ' · not everything was acknowledged'}`);
}

function fleetLine({ stations, connected, events, acked }: FleetCounts, expected: number): string {
  return `${connected} of ${expected} connected (${stations} started) · ${events} events · ${acked} acknowledged`;
}

type DemoOptions = FaultOptions & {
  stations: number;
  httpPort: number;
  mqttPort: number;
  data: string;
  speed: number;
  seed: number;
  cutUplinkEvery: number;
  cutUplinkFor: number;
  json?: true;
};

function demoCommand(program: Command, host: SimulatorHost): void {
  faultOptions(
    program
      .command('demo')
      .description('the whole main job: a cloud, simulated stations, and an unmodified agent for each'),
  )
    .option('--stations <number>', 'how many', integerOption('--stations', 1, 200), 5)
    .option('--http-port <port>', 'port of the feed, 0 for any', integerOption('--http-port', 0, 65_535), 8080)
    .option('--mqtt-port <port>', 'port of the broker, 0 for any', integerOption('--mqtt-port', 0, 65_535), 1883)
    .option('--data <dir>', 'where everything is kept; its folder demo/ is emptied at the start', 'yizhan-demo')
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 30)
    .option('--seed <number>', 'the same seed gives the same worlds', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option(
      '--cut-uplink-every <seconds>',
      'every station loses its uplink this often; 0 never',
      between('--cut-uplink-every', 0, 1e6),
      0,
    )
    .option('--cut-uplink-for <seconds>', 'and for this long', positive('--cut-uplink-for'), 10)
    .option('--json', 'progress as JSON lines')
    .action((options: DemoOptions) => demo(options, host));
}

async function demo(options: DemoOptions, host: SimulatorHost): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) host.onSignal(signal, () => stopping.abort());
  const { stations, httpPort, mqttPort, speed, seed, cutUplinkEvery, cutUplinkFor } = options;
  const dataDir = resolve(options.data);
  let printedMs = Number.NEGATIVE_INFINITY;
  await runDemo(
    {
      stations,
      httpPort,
      mqttPort,
      dataDir,
      speed,
      seed,
      faults: wireFaults(options),
      cutUplinkEveryS: cutUplinkEvery,
      cutUplinkForS: cutUplinkFor,
    },
    {
      clock: systemClock,
      env: { ...processEnv(host), NODE_COMPILE_CACHE: host.env['NODE_COMPILE_CACHE'] ?? `${dataDir}/compile-cache` },
      print: host.print,
      signal: stopping.signal,
      progress(line) {
        if (host.rewrite && !options.json) return host.rewrite(line);
        if (systemClock.monotonicMs() - printedMs < progressEveryMs) return;
        printedMs = systemClock.monotonicMs();
        host.print(options.json ? JSON.stringify({ progress: line }) : line);
      },
    },
  );
  host.print('stopped: nothing is left running');
}

type VerifyCliOptions = { ledger: string; data: string; early: number; late: number; wait: number; json?: true };

function verifyCommand(program: Command, host: SimulatorHost): void {
  program
    .command('verify')
    .description(
      "hold a cloud's store against the ledgers of a simulation; exit code 1 where anything is lost or doubled",
    )
    .option('--ledger <dir>', 'ledgers of the simulation', 'yizhan-ledger')
    .option('--data <dir>', "the cloud's data directory", 'yizhan-cloud')
    .option('--early <seconds>', 'a visit may be told this long before it happened', between('--early', 0, 1e6), 1)
    .option('--late <seconds>', 'and this long after', between('--late', 0, 1e9), 10)
    .option('--wait <seconds>', 'how long the cloud may take to have everything', between('--wait', 0, 1e6), 0)
    .option('--json', 'one JSON object on stdout')
    .action((options: VerifyCliOptions) => runVerify(options, host));
}

async function runVerify(
  { ledger, data, early, late, wait, json }: VerifyCliOptions,
  host: SimulatorHost,
): Promise<void> {
  const result = await verify(
    {
      ledgerDir: resolve(ledger),
      dataDir: resolve(data),
      tolerance: { earlyMs: early * 1000, lateMs: late * 1000 },
      waitMs: wait * 1000,
    },
    systemClock,
  );
  host.print(json ? JSON.stringify(result) : verifyText(result));
  if (!result.ok) throw new CommandError('the cloud differs from the truth');
}

function verifyText({ stations, total }: VerifyResult): string {
  const { lost, doubled, misplaced, altered, phantom, wrongRollups, declaredLost, quarantined, untold, events } = total;
  const amounts = (of: typeof lost): string =>
    `${of.in} visits, ${of.out} leaves, ${of.ml} ml, ${of.mwh} mWh, ${of.presses} presses, ${of.events} events`;
  return [
    `${stations} stations, ${events} events in the cloud`,
    `lost       ${amounts(lost)}`,
    `doubled    ${amounts(doubled)}`,
    `misplaced  ${misplaced} visits`,
    `altered    ${altered}, phantom ${phantom}, quarantined ${quarantined}, rollups that differ ${wrongRollups}`,
    `declared   ${declaredLost} sequences by gap receipts; ${untold} counts that a restarting board never told`,
  ].join('\n');
}

function reportEvery(host: SimulatorHost, line: () => string): () => void {
  const { rewrite } = host;
  return every(systemClock, rewrite ? 1000 : progressEveryMs, () => (rewrite ?? host.complain)(line()));
}

function interrupted(host: SimulatorHost): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) host.onSignal(signal, resolve);
  });
}

function hostAndPort(text: string): { host: string; port: number } {
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new CommandError(`--tcp: expected host:port, found ${JSON.stringify(text)}`, exitCodes.usage);
  return { host, port: Number(port) };
}

function processEnv(host: Host): NodeJS.ProcessEnv {
  return { ...host.env };
}

function positive(name: string): (text: string) => number {
  return between(name, Number.MIN_VALUE, 1e9);
}

function between(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new CommandError(
      `${name}: expected a number from ${min === Number.MIN_VALUE ? 'above 0' : min} to ${max}, found ${JSON.stringify(text)}`,
      exitCodes.usage,
    );
  };
}
