import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Command } from 'commander';
import { systemClock } from '../protocol/host/clock.ts';
import { CommandError, type Host, runCommandLine } from '../protocol/host/command-line.ts';
import { ConfigError } from '../protocol/host/config-error.ts';
import { lockDirectory } from '../protocol/host/dir-lock.ts';
import { exitCodes } from '../protocol/host/exit-codes.ts';
import { createLog, type Logger } from '../protocol/host/log.ts';
import { openMqttSession } from '../protocol/host/mqtt-session.ts';
import type { AgentIo } from './agent-io.ts';
import { type AgentConfig, loadConfig } from './config.ts';
import { isNtpSynchronised, readBootId, readBytesWritten } from './ops/host-facts.ts';
import { nodeDisk } from './outbox/disk.ts';
import { openWire } from './sensors/board/address.ts';
import { startDrivers } from './sensors/start-drivers.ts';
import { type Order, type Orders, superviseAgent } from './supervisor.ts';
import { agentVersion } from './version.ts';

/** SIGTERM is answered within 5 s whatever hangs. */
const stopDeadlineMs = 4800;

/** The agent's command line: `run` and `check`. @returns the exit code */
export function runAgent(argv: readonly string[], host: Host): Promise<number> {
  const program = new Command('agent')
    .description('Station agent: sensors in, durable events and live state out')
    .version(agentVersion);
  program
    .command('run')
    .description('run until SIGTERM or SIGINT; SIGHUP reads the configuration again')
    .requiredOption('-c, --config <file>', 'station configuration, YAML')
    .action(async (options: { config: string }) => run(options.config, host));
  program
    .command('check')
    .description('check a configuration and say what it configures')
    .requiredOption('-c, --config <file>', 'station configuration, YAML')
    .option('--json', 'one JSON object on stdout')
    .action((options: { config: string; json?: true }) => check(options.config, options.json ?? false, host));
  return runCommandLine(program, argv, host);
}

async function run(path: string, host: Host): Promise<void> {
  const config = loadConfig(path);
  const log = (await createLog('agent', config.logLevel)).child({ station: config.station });
  using _lock = lockDirectory(config.dataDir, 'agent.lock', 'agent');
  await superviseAgent(config, signalOrders(path, config, log, host), realIo(log));
}

function check(path: string, json: boolean, host: Host): void {
  const { station, dataDir, cloud, sensors } = loadConfig(path);
  const drivers = sensors.map((driver) => ({
    name: driver.name,
    driver: driver.driver,
    address: driver.driver === 'board' ? driver.port : driver.broker,
  }));
  if (json) return host.print(JSON.stringify({ ok: true, station, dataDir, cloud: cloud.url, drivers }));
  host.print(`${path}: ok`);
  host.print(`  station ${station}, data in ${dataDir}, cloud ${cloud.url} as ${cloud.username}`);
  for (const { name, driver, address } of drivers) host.print(`  ${name}: ${driver} at ${address}`);
}

/** Signals as orders, in their order. A new configuration that is wrong is said and not taken. */
function signalOrders(path: string, first: AgentConfig, log: Logger, host: Host): Orders {
  const queue: Order[] = [];
  let waiting: ((order: Order) => void) | null = null;
  const give = (order: Order): void => {
    if (!waiting) return void queue.push(order);
    waiting(order);
    waiting = null;
  };
  const stop = (reason: string): void => {
    give({ kind: 'stop', reason });
    setTimeout(() => host.exit(exitCodes.failed), stopDeadlineMs).unref();
  };
  host.onSignal('SIGTERM', () => stop('SIGTERM'));
  host.onSignal('SIGINT', () => stop('SIGINT'));
  host.onSignal('SIGHUP', () => {
    try {
      give({ kind: 'reload', config: reloaded(path, first) });
    } catch (error) {
      const issues = error instanceof ConfigError ? error.issues : undefined;
      log.error(
        { reason: error instanceof Error ? error.message : String(error), issues },
        'configuration not taken: the old one stays',
      );
    }
  });
  const waitForOrder = (): Promise<Order> =>
    new Promise((resolve) => {
      waiting = resolve;
    });
  return {
    next: () => {
      const order = queue.shift();
      return order ? Promise.resolve(order) : waitForOrder();
    },
  };
}

/** The station and its data directory are this process's own: they do not change under it. */
function reloaded(path: string, first: AgentConfig): AgentConfig {
  const config = loadConfig(path);
  if (config.station === first.station && config.dataDir === first.dataDir) return config;
  throw new CommandError('station and dataDir need a restart of the agent');
}

function realIo(log: Logger): AgentIo {
  return {
    clock: systemClock,
    random: Math.random,
    newId: () => randomBytes(16).toString('hex'),
    newToken: () => randomBytes(12).toString('base64url'),
    boot: readBootId(),
    log,
    disk: nodeDisk,
    openSession: openMqttSession,
    openWire,
    turn: () => setImmediate(),
    startDrivers,
    bytesWritten: readBytesWritten,
    ntpSynchronised: isNtpSynchronised,
    committed: () => {},
  };
}
