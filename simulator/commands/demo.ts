import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../protocol/host/clock.ts';
import { integerOption } from '../../protocol/host/command-line.ts';
import { type DemoAddresses, runDemo } from '../demo/demo.ts';
import { progressEveryMs, type SimulatorHost } from './host.ts';
import {
  type FaultOptions,
  faultOptions,
  positive,
  type UplinkOptions,
  uplinkCuts,
  uplinkOptions,
  wireFaults,
} from './options.ts';

type DemoOptions = FaultOptions &
  UplinkOptions & {
    stations: number;
    httpPort: number;
    mqttPort: number;
    data: string;
    speed: number;
    seed: number;
    json?: true;
  };

/** `demo`: what `npm start` runs. */
export function demoCommand(program: Command, host: SimulatorHost): void {
  const command = program
    .command('demo')
    .description('the whole main job: a cloud, simulated stations, and an unmodified agent for each');
  uplinkOptions(faultOptions(command), 'every station')
    .option('--stations <number>', 'how many', integerOption('--stations', 1, 200), 5)
    .option('--http-port <port>', 'port of the feed, 0 for any', integerOption('--http-port', 0, 65_535), 8080)
    .option('--mqtt-port <port>', 'port of the broker, 0 for any', integerOption('--mqtt-port', 0, 65_535), 1883)
    .option('--data <dir>', 'where everything is kept; its folder demo/ is emptied at the start', 'yizhan-demo')
    .option('--speed <factor>', 'world time passes this many times faster', positive('--speed'), 30)
    .option('--seed <number>', 'the same seed gives the same worlds', integerOption('--seed', 0, 2 ** 32 - 1), 1)
    .option('--json', 'addresses, then progress, as JSON lines')
    .action((options: DemoOptions) => demo(options, host));
}

async function demo(options: DemoOptions, host: SimulatorHost): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) host.onSignal(signal, () => stopping.abort());
  const { stations, httpPort, mqttPort, speed, seed } = options;
  const dataDir = resolve(options.data);
  let printedMs = Number.NEGATIVE_INFINITY;
  await runDemo(
    { stations, httpPort, mqttPort, dataDir, speed, seed, faults: wireFaults(options), ...uplinkCuts(options) },
    {
      clock: systemClock,
      env: host.env,
      started(where) {
        for (const line of options.json ? [JSON.stringify(where)] : addressLines(where)) host.print(line);
      },
      signal: stopping.signal,
      progress(line) {
        if (host.rewrite && !options.json) return host.rewrite(line);
        if (systemClock.monotonicMs() - printedMs < progressEveryMs) return;
        printedMs = systemClock.monotonicMs();
        host.print(options.json ? JSON.stringify({ progress: line }) : line);
      },
    },
  );
  host.print(options.json ? JSON.stringify({ stopped: true }) : 'stopped: nothing is left running');
}

function addressLines({ cloud, broker, data }: DemoAddresses): string[] {
  return [
    `cloud     ${cloud}   (live table; feed at /v1/feed.json)`,
    `broker    ${broker}`,
    `data      ${data}   (cloud, logs, and the truth in ledger)`,
  ];
}
