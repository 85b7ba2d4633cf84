import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { EventSource } from 'eventsource';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { PublicStatus } from '../../cloud/core/availability.ts';
import type { StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';
import { type Mosquitto, startMosquitto } from '../support/mosquitto.ts';
import { addStation, type Program, type RunningCloud, startProgram } from '../support/programs.ts';
import { waitFor } from '../support/wait.ts';

export const region = '341002';
export const station = 'tunxi-laojie';

/** A deadline for what waits for processes on a busy machine; nothing waits this long for nothing. */
export const patientMs = 90_000;

export type StationFile = { path: string; dataDir: string; password: string };

/** The README's smallest station.yaml, with what a test adds to it. */
export function stationFile(
  directory: string,
  {
    password,
    url,
    sensors,
    cloud = {},
    ...more
  }: { password: string; url: string; sensors: object[]; cloud?: object } & Record<string, unknown>,
): StationFile {
  const path = join(directory, 'station.yaml');
  const dataDir = join(directory, 'agent');
  writeFileSync(join(directory, 'password'), `${password}\n`);
  const login = { url, username: station, passwordFile: 'password', ...cloud };
  writeFileSync(path, stringify({ station, dataDir: 'agent', cloud: login, capacity: 12, sensors, ...more }));
  return { path, dataDir, password };
}

export function runAgent({ path }: StationFile): Program {
  return startProgram('agent', ['run', '--config', path]);
}

/** A process whose wall clock is off by this much: it and what it tells live in another hour. */
export function wallClockOff(byMs: number): NodeJS.ProcessEnv {
  const script = `const now=Date.now;Date.now=()=>now()+(${byMs})`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}

export async function readStatuses(http: string): Promise<PublicStatus[]> {
  const response = await fetch(`${http}/v1/regions/${region}/status.json`);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const { stations } = (await response.json()) as { stations: PublicStatus[] };
  return stations;
}

export async function readStatus(http: string, id = station): Promise<PublicStatus> {
  const status = (await readStatuses(http)).find((one) => one.id === id);
  if (!status) throw new Error(`${id} is not in the feed`);
  return status;
}

/** What a passer-by sees of a station. */
export function ports(status: PublicStatus) {
  return status.features.find((feature) => feature.kind === 'port');
}

/** Follows the region's event stream; what every patch says of the station, in its order. */
export function follow(http: string, id = station): PublicStatus[] {
  const heard: PublicStatus[] = [];
  const source = new EventSource(`${http}/v1/stream?region=${region}`);
  onTestFinished(() => source.close());
  source.addEventListener('patch', ({ data }) => {
    const { stations } = JSON.parse(data) as { stations: PublicStatus[] };
    heard.push(...stations.filter((status) => status.id === id));
  });
  return heard;
}

/** One number of the Prometheus page. */
export async function readMetric(http: string, name: string): Promise<number> {
  const page = await (await fetch(`${http}/metrics`)).text();
  const line = page.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no ${name} in /metrics`);
  return Number(line.slice(name.length));
}

/** A look into the cloud's store beside the running process. */
function fromStore<T>(dataDir: string, read: (db: Database.Database) => T): T {
  const db = new Database(join(dataDir, 'cloud.db'), { readonly: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

export type StoredEvent = { order: number; seq: number; event: StationEvent };

/** Every stored event of the station, in the order of its epochs and sequences. */
export function storedEvents(dataDir: string, id = station): StoredEvent[] {
  const rows = fromStore(dataDir, (db) =>
    db
      .prepare<[string], { order: number; seq: number; body: string }>(
        `SELECT e.n AS "order", v.seq, v.body FROM event v JOIN epoch e ON e.n = v.epoch
         JOIN station s ON s.n = e.station WHERE s.id = ? ORDER BY e.n, v.seq`,
      )
      .all(id),
  );
  return rows.map(({ body, ...key }) => ({ ...key, event: JSON.parse(body) as StationEvent }));
}

/** Sums of all hours of the only station of a store. */
export function rolledUp(dataDir: string) {
  return fromStore(dataDir, (db) =>
    db
      .prepare<[], Record<'visits' | 'leaves' | 'doorOpens' | 'ml' | 'mwh' | 'presses', number>>(
        `SELECT sum(visits) AS visits, sum(leaves) AS leaves, sum(door_opens) AS doorOpens, sum(ml) AS ml,
         sum(mwh) AS mwh, sum(presses) AS presses FROM rollup`,
      )
      .get(),
  );
}

/** The station's last live state as the cloud saved it; undefined before the first. */
export function savedState(dataDir: string, id = station): StationState | undefined {
  const row = fromStore(dataDir, (db) =>
    db
      .prepare<[string], { state: string }>('SELECT state FROM live JOIN station s ON s.n = station WHERE s.id = ?')
      .get(id),
  );
  return row && (JSON.parse(row.state) as StationState);
}

export type OwnBroker = Mosquitto & { cloudConfig: string; passwords: Record<string, string> };

/** Debian's mosquitto as protocol/README §4 sets it up, word for word, and the cloud.yaml that goes with it. */
export async function mosquittoWithRights(
  directory: string,
  cloudData: string,
  ids: readonly string[],
): Promise<OwnBroker> {
  const passwords: Record<string, string> = {};
  for (const id of ids) passwords[id] = (await addStation(cloudData, id)).password;
  const cloudPassword = 'of-the-cloud-alone';
  const [conf, acl] = readmeBrokerFiles();
  const broker = await startMosquitto({
    password(folder) {
      const users = Object.entries({ ...passwords, 'yizhan-cloud': cloudPassword }).map(
        ([user, word]) => `${user}:${word}`,
      );
      writeFileSync(join(folder, 'passwords'), `${users.join('\n')}\n`, { mode: 0o600 });
      execFileSync('mosquitto_passwd', ['-U', join(folder, 'passwords')]);
      writeFileSync(join(folder, 'acl'), acl, { mode: 0o600 });
      return conf.replaceAll('/etc/mosquitto/', `${folder}/`).split('\n');
    },
  });
  const cloudConfig = join(directory, 'cloud.yaml');
  writeFileSync(
    cloudConfig,
    stringify({ broker: { url: broker.url, username: 'yizhan-cloud', password: cloudPassword } }),
  );
  return { ...broker, cloudConfig, passwords };
}

/** `mosquitto.conf` and `acl` out of protocol/README §4. */
function readmeBrokerFiles(): [string, string] {
  const page = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8');
  const block = page.slice(page.indexOf('    # mosquitto.conf'), page.indexOf('## Change log'));
  const [conf = '', acl = ''] = block
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .split('# acl: the user name is the station id');
  return [conf.replaceAll(/ +#.*$/gm, ''), acl];
}

/** Resolves once the station is live in the feed. */
export function isLive({ http }: RunningCloud, id = station): Promise<PublicStatus> {
  return waitFor(
    `${id} to be live`,
    async () => {
      const status = await readStatus(http, id);
      return status.freshness === 'live' ? status : null;
    },
    patientMs,
  );
}
