import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { hashPassword } from '../../cloud/broker/credentials.ts';
import { type Cloud, type CloudIo, startCloud } from '../../cloud/cloud.ts';
import { type CloudConfig, loadCloudConfig } from '../../cloud/config.ts';
import type { StationRecord } from '../../cloud/core/station.ts';
import { startHttp } from '../../cloud/feed/http.ts';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import { type Clock, systemClock } from '../../protocol/host/clock.ts';
import { openMqttSession } from '../../protocol/host/mqtt-session.ts';
import { type LogLine, memoryLog } from './log.ts';
import { recordOf } from './station-words.ts';
import { tempDir } from './temp-dir.ts';

export type TestCloud = {
  cloud: Cloud;
  http: string;
  mqttPort: number;
  dataDir: string;
  lines: LogLine[];
  stop: () => Promise<void>;
};

export type CloudOptions = {
  dataDir?: string;
  /** Put into the register before the start; the password of each is its id. */
  stations?: StationRecord[];
  config?: Partial<CloudConfig>;
} & Partial<CloudIo>;

/** The real cloud in this process, on ports of its own and a store in a temp folder, stopped with the test. */
export async function startTestCloud(options: CloudOptions = {}): Promise<TestCloud> {
  const { dataDir = tempDir(), stations = [recordOf('a')], config = {}, ...io } = options;
  await registerStations(dataDir, stations);
  const { log, lines } = memoryLog();
  const cloud = await startCloud(
    { ...loadCloudConfig(undefined, { data: dataDir, httpPort: 0, mqttPort: 0 }), ...config },
    {
      clock: systemClock as Clock,
      random: Math.random,
      newToken: () => randomBytes(12).toString('base64url'),
      log,
      openStore: openSqliteStore,
      openSession: openMqttSession,
      startHttp,
      turn: () => setImmediate(),
      ...io,
    },
  );
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => (stopped ??= cloud.stop());
  onTestFinished(stop);
  return { cloud, http: `http://127.0.0.1:${cloud.httpPort}`, mqttPort: cloud.mqttPort ?? 0, dataDir, lines, stop };
}

/** Beside a cloud that may be running, as `station add` does. */
export async function registerStations(dataDir: string, stations: readonly StationRecord[]): Promise<void> {
  await using store = openSqliteStore(join(dataDir, 'cloud.db'));
  await store.addStations(stations.map((record) => ({ record, credential: hashPassword(record.id) })));
}

export async function removeStation(dataDir: string, id: string, atMs = Date.now()): Promise<void> {
  await using store = openSqliteStore(join(dataDir, 'cloud.db'));
  await store.removeStation(id, atMs);
}
