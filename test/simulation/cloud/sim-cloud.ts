import { join } from 'node:path';
import { hashPassword } from '../../../cloud/broker/credentials.ts';
import { type Cloud, startCloud } from '../../../cloud/cloud.ts';
import { type CloudConfig, loadCloudConfig } from '../../../cloud/config.ts';
import type { HttpIo } from '../../../cloud/feed/http.ts';
import { stationInputSchema, toRecord } from '../../../cloud/register/input.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import type { Logger } from '../../../protocol/host/log.ts';
import type { Random } from '../../../simulator/core/random.ts';
import type { MachineDisk } from '../disk/sim-disk.ts';
import { Life, type MachineTime, processClock } from '../kernel/life.ts';
import type { Timeline } from '../kernel/timeline.ts';
import { cloudUser, type SimBroker } from '../network/sim-broker.ts';
import { Uplink } from '../network/uplink.ts';
import { epochMs } from '../station/sim-station.ts';

export const storeFile = 'cloud.db';
const restartMs = 3000;

/** What the feed would be made of: the cloud's own view of every station. */
export type CloudView = Pick<HttpIo, 'board' | 'live'>;

/** The machine of the cloud, and the cloud's process on it. */
export class SimCloud {
  readonly uplink = new Uplink();
  readonly disk: MachineDisk;
  /** The cloud read what it knew, and is about to serve. */
  onStart: () => void = () => {};
  readonly #timeline: Timeline;
  readonly #broker: SimBroker;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #config: CloudConfig;
  #time: MachineTime;
  #wallOffsetMs = 0;
  #life: Life | null = null;
  #cloud: Cloud | null = null;
  #view: CloudView | null = null;
  #powered = true;

  constructor(disk: MachineDisk, broker: SimBroker, random: Random, timeline: Timeline, log: Logger) {
    this.disk = disk;
    this.#broker = broker;
    this.#random = random;
    this.#timeline = timeline;
    this.#log = log;
    this.#config = {
      ...slower(loadCloudConfig(undefined, { data: disk.directory, broker: 'mqtt://broker:1883' })),
      broker: { url: 'mqtt://broker:1883', username: cloudUser, password: cloudUser, ca: undefined },
    };
    this.#time = { bootedMs: 0, wallMs: () => epochMs + timeline.nowMs + this.#wallOffsetMs };
  }

  get life(): Life | null {
    return this.#life?.alive ? this.#life : null;
  }

  /** Null while the cloud does not run. */
  get view(): CloudView | null {
    return this.life ? this.#view : null;
  }

  set wallOffsetMs(offsetMs: number) {
    this.#wallOffsetMs = offsetMs;
  }

  get wallMs(): number {
    return this.#time.wallMs();
  }

  /** Puts the stations into the register, before the cloud's first start. */
  async register(stations: readonly { id: string; password: string }[]): Promise<void> {
    const life = new Life(this.#timeline);
    await using store = openSqliteStore(join(this.disk.directory, storeFile), (path) => this.disk.openFor(life, path));
    await store.addStations(
      stations.map(({ id, password }) => ({
        record: toRecord(
          stationInputSchema.parse({ id, name: id, region: '341002', lat: 29.7, lng: 118.3, capacity: 8 }),
        ),
        credential: hashPassword(password),
      })),
    );
  }

  /** Another process beside the cloud gives it a command for a station. */
  async command(station: string, id: string): Promise<void> {
    const life = this.life;
    if (!life) return;
    await using store = openSqliteStore(join(this.disk.directory, storeFile), (path) => this.disk.openFor(life, path));
    await store.addCommand({ id, station, name: 'report-now', args: {}, expires: this.wallMs + 600_000 });
  }

  startProcess(): void {
    if (!this.#powered || this.life) return;
    const life = new Life(this.#timeline);
    this.#life = life;
    life.onDeath(() => {
      this.#cloud = null;
      this.#view = null;
      this.disk.killProcess();
      this.#timeline.after(restartMs, () => this.startProcess());
    });
    void this.#run(life).catch((error: unknown) => {
      if (life.alive) this.#log.error({ err: error }, 'cloud ended by an error');
      life.die();
    });
  }

  async stopProcess(): Promise<void> {
    const life = this.#life;
    await this.#cloud?.stop().catch(() => {});
    life?.die();
  }

  retire(): void {
    this.#powered = false;
    this.#life?.die();
  }

  cutPower(offMs: number, betweenBoots: () => void = () => {}): void {
    if (!this.#powered) return;
    this.#powered = false;
    this.uplink.set({ kind: 'half-open', up: false, down: false });
    this.#life?.die();
    this.disk.cutPower();
    this.#timeline.after(offMs, () => {
      betweenBoots();
      this.#powered = true;
      this.#time = { ...this.#time, bootedMs: this.#timeline.nowMs };
      this.uplink.set({ kind: 'up' });
      this.startProcess();
    });
  }

  async #run(life: Life): Promise<void> {
    const random = this.#random.fork(`cloud ${this.#timeline.steps}`);
    const cloud = await startCloud(this.#config, {
      clock: processClock(this.#timeline, life, this.#time),
      random: () => random.next(),
      newToken: () => Array.from({ length: 16 }, () => random.int(36).toString(36)).join(''),
      log: this.#log.child({ cloud: true }),
      openStore: (path) => openSqliteStore(path, (file) => this.disk.openFor(life, file)),
      openSession: this.#broker.transport(this.uplink, life),
      turn: () => new Promise((resolve) => void this.#timeline.after(0, () => life.run(resolve))),
      startHttp: async (_config, { board, live }) => {
        life.enter();
        this.#view = { board, live };
        this.onStart();
        return { port: 0, close: async () => {} };
      },
    });
    this.#cloud = cloud;
    const error = await cloud.failed;
    // As main.ts does: nothing more is acknowledged, a service manager starts it again.
    this.#log.warn({ err: error }, 'cloud: the store failed');
    await cloud.stop().catch(() => {});
    life.die();
  }
}

/** Everything that only waits is slower than in a real cloud: a day has to pass in a moment. */
function slower(config: CloudConfig): CloudConfig {
  const { ingest, feed } = config;
  return {
    ...config,
    watchS: 60,
    commandsS: 60,
    ingest: { ...ingest, saveLiveS: 60 },
    feed: { ...feed, beatS: 600, coalesceS: 30 },
  };
}
