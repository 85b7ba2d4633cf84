import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Command } from 'commander';
import { systemClock } from '../protocol/host/clock.ts';
import { CommandError, type Host, integerOption, runCommandLine } from '../protocol/host/command-line.ts';
import { lockDirectory } from '../protocol/host/dir-lock.ts';
import { exitCodes } from '../protocol/host/exit-codes.ts';
import { createLog } from '../protocol/host/log.ts';
import { openMqttSession } from '../protocol/host/mqtt-session.ts';
import { StoreError } from '../protocol/host/sqlite.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type CloudOverrides, loadCloudConfig } from './config.ts';
import { startHttp } from './feed/http.ts';
import { addRegisterCommands } from './register/cli.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import { cloudVersion } from './version.ts';

const stopDeadlineMs = 8000;

type ServeOptions = CloudOverrides & { config?: string };

/** The cloud's command line: `serve`, `station …` and `command`. @returns the exit code */
export function runCloud(argv: readonly string[], host: Host): Promise<number> {
  const program = new Command('cloud')
    .description('Cloud: broker, ingest, store and public feed of the stations')
    .version(cloudVersion);
  const port = (name: string): ((text: string) => number) => integerOption(name, 0, 65_535);
  program
    .command('serve')
    .description('run until SIGTERM or SIGINT; every option has a default')
    .option('-c, --config <file>', 'cloud configuration, YAML')
    .option('--data <dir>', 'data directory (default: yizhan-cloud)')
    .option('--http-port <port>', 'port of the feed, 0 for any (default: 8080)', port('--http-port'))
    .option('--mqtt-port <port>', 'port of the embedded broker, 0 for any (default: 1883)', port('--mqtt-port'))
    .option('--broker <url>', 'an external broker in place of the embedded one, mqtt://host:port')
    .action((options: ServeOptions) => serve(options, host));
  addRegisterCommands(program, host);
  return runCommandLine(program, argv, host);
}

async function serve({ config: path, ...overrides }: ServeOptions, host: Host): Promise<void> {
  const config = loadCloudConfig(path, overrides);
  const log = await createLog('cloud', config.logLevel);
  using _lock = lockDirectory(config.dataDir, 'cloud.lock', 'cloud');
  const stopped = new Promise<{ kind: 'stop'; reason: string }>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      host.onSignal(signal, () => resolve({ kind: 'stop', reason: signal }));
  });
  let cloud: Cloud;
  try {
    cloud = await startCloud(config, {
      clock: systemClock,
      random: Math.random,
      newToken: () => randomBytes(12).toString('base64url'),
      log,
      openStore: openSqliteStore,
      openSession: openMqttSession,
      startHttp,
      turn: () => setImmediate(),
    });
  } catch (error) {
    if (error instanceof StoreError) throw new CommandError(error.message, exitCodes.ioError, { cause: error });
    throw error;
  }
  const outcome = await Promise.race([stopped, cloud.failed.then((error) => ({ kind: 'failed' as const, error }))]);
  if (outcome.kind === 'failed') log.fatal({ err: outcome.error }, 'the store failed: nothing more is acknowledged');
  setTimeout(() => host.exit(exitCodes.failed), stopDeadlineMs).unref();
  await cloud.stop();
  if (outcome.kind === 'failed')
    throw new CommandError('the store failed: check the disk, then start again', exitCodes.ioError);
  log.info({ reason: outcome.reason }, 'cloud stopped');
}
