import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../protocol/host/clock.ts';
import { CommandError, integerOption } from '../../protocol/host/command-line.ts';
import { mqttUrlSchema } from '../../protocol/host/config-fields.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import { stationIdSchema } from '../../protocol/ids.ts';
import { presets } from '../core/presets.ts';
import { startUplink } from '../faults/uplink.ts';
import { simulateStation } from '../station.ts';
import { interrupted, type SimulatorHost } from './host.ts';
import {
  checked,
  type FaultOptions,
  faultOptions,
  positive,
  type UplinkOptions,
  uplinkCuts,
  uplinkOptions,
  wireFaults,
} from './options.ts';

type WireOptions = UplinkOptions & {
  station: string;
  uplink?: string;
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

/** `board` and `station`: one simulated station on real bytes. */
export function stationCommands(program: Command, host: SimulatorHost): void {
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
}

function wireCommand(command: Command): Command {
  return uplinkOptions(faultOptions(command), 'with --uplink the station')
    .option('--tcp <host:port>', 'listen as a serial server (default: 127.0.0.1:0, any port)')
    .option('--pty <path>', 'make a pseudo-terminal at this path, by socat')
    .option(
      '--uplink <url>',
      "a way to this broker that can be cut: the agent's cloud",
      checked('--uplink', mqttUrlSchema),
    )
    .option('--station <id>', 'name in the ledger', checked('--station', stationIdSchema), 'station-1')
    .option('--seed <number>', 'the same seed gives the same world', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 1)
    .option('--visits <number>', 'visits a day', positive('--visits'), presets.tunxi.visitsPerDay)
    .option('--ports <number>', 'charging ports of the board', integerOption('--ports', 0, 16), 4)
    .option('--settle <seconds>', 'nothing happens for this long after the first listener', positive('--settle'), 6)
    .option('--ledger <dir>', 'where the truth is written', 'yizhan-ledger')
    .option('--json', 'one JSON object on stdout once it runs');
}

async function runStation(
  options: WireOptions & FaultOptions,
  localBrokerPort: number | null,
  host: SimulatorHost,
): Promise<void> {
  if (options.tcp !== undefined && options.pty !== undefined)
    throw new CommandError('expected one of --tcp and --pty', exitCodes.usage);
  if (options.cutUplinkEvery > 0 && options.uplink === undefined)
    throw new CommandError('--cut-uplink-every: expected --uplink with it, found none', exitCodes.usage);
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
  await using uplink =
    options.uplink === undefined ? null : await startUplink(options.uplink, uplinkCuts(options), systemClock);
  const { boardAddress: board, localBroker } = simulated;
  if (options.json) host.print(JSON.stringify({ station, board, localBroker, uplink: uplink?.url ?? null }));
  else {
    host.print(`board         ${board}`);
    if (localBroker !== null) host.print(`local broker  ${localBroker}`);
    if (uplink !== null) host.print(`uplink        ${uplink.url}`);
  }
  await interrupted(host);
}

function hostAndPort(text: string): { host: string; port: number } {
  const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new CommandError(`--tcp: expected host:port, found ${JSON.stringify(text)}`, exitCodes.usage);
  return { host, port: Number(port) };
}
