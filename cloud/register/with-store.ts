import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../../protocol/host/command-line.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import { loadCloudConfig } from '../config.ts';
import { openSqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';

export type DataOptions = { config?: string; data?: string; json?: true };

/**
 * Works on the store beside a cloud that may be running: it notices what is changed within a second.
 *
 * @throws ConfigError where the data directory holds none: a mistyped one must not look like an empty register
 */
export async function withStore<T>(options: DataOptions, work: (store: Store) => Promise<T>): Promise<T> {
  const file = storeFile(options);
  if (existsSync(file)) return workOn(file, work);
  throw new ConfigError(file, ["expected a cloud's store, found nothing: is --data right?"]);
}

/** The same, where a first station may make the store. */
export function withNewStore<T>(options: DataOptions, work: (store: Store) => Promise<T>): Promise<T> {
  return workOn(storeFile(options), work);
}

function storeFile({ config, data }: DataOptions): string {
  return join(loadCloudConfig(config, { data }).dataDir, 'cloud.db');
}

async function workOn<T>(file: string, work: (store: Store) => Promise<T>): Promise<T> {
  await using store = openStore(file);
  return await work(store);
}

function openStore(file: string): Store {
  try {
    return openSqliteStore(file);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), exitCodes.ioError, { cause: error });
  }
}
