import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { sleep, systemClock } from '../../protocol/host/clock.ts';
import { integerOption } from '../../protocol/host/command-line.ts';
import { mqttUrlSchema } from '../../protocol/host/config-fields.ts';
import { openMqttSession } from '../../protocol/host/mqtt-session.ts';
import { type PresetName, presets, simulateRegister } from '../core/presets.ts';
import { seededRandom } from '../core/random.ts';
import { Fleet, type FleetCounts } from '../fleet/fleet.ts';
import { registerStations } from '../programs.ts';
import { interrupted, reportEvery, type SimulatorHost } from './host.ts';
import { between, checked, positive, type UplinkOptions, uplinkOptions } from './options.ts';

type FleetOptions = UplinkOptions & {
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
  connectRate: number;
  minutes: number;
  json?: true;
};

/** `fleet`: thousands of stations in one process. */
export function fleetCommand(program: Command, host: SimulatorHost): void {
  const command = program
    .command('fleet')
    .description('stations that speak MQTT to a cloud directly, thousands in one process');
  uplinkOptions(command, 'each station, on average,')
    .option('--stations <number>', 'how many', integerOption('--stations', 1, 200_000), 100)
    .addOption(new Option('--preset <name>', 'region and visits a day').choices(Object.keys(presets)).default('tunxi'))
    .option(
      '--cloud <url>',
      'the broker that the cloud hears',
      checked('--cloud', mqttUrlSchema),
      'mqtt://127.0.0.1:1883',
    )
    .option('--data <dir>', "the cloud's data directory: the stations are put into its register", 'yizhan-cloud')
    .option('--seed <number>', 'the same seed gives the same worlds', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 1)
    .option('--visits <number>', "visits a day (default: the preset's)", positive('--visits'))
    .option('--ports <number>', 'charging ports of each', integerOption('--ports', 0, 16), 4)
    .option('--interval <seconds>', 'report interval', integerOption('--interval', 1, 3600), 30)
    .option('--ledger <dir>', 'where the truth is written', 'yizhan-ledger')
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
  const logins = await registerStations(resolve(data), entries, host.env);
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

function fleetLine({ stations, connected, events, acked, cuts }: FleetCounts, expected: number): string {
  return `${connected} of ${expected} connected (${stations} started) · ${events} events · ${acked} acknowledged · ${cuts} cuts`;
}
