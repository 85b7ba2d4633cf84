import type { Logger } from '../../protocol/host/log.ts';
import { type Random, seededRandom } from '../../simulator/core/random.ts';
import { SimCloud } from './cloud/sim-cloud.ts';
import type { SimDisks } from './disk/sim-disk.ts';
import { Timeline } from './kernel/timeline.ts';
import { cloudUser, SimBroker } from './network/sim-broker.ts';
import { AcceptedLog } from './station/accepted-log.ts';
import { SimBoard } from './station/sim-board.ts';
import { passwordOf, SimStation } from './station/sim-station.ts';

const hourMs = 3_600_000;

/** A small fleet with its broker and cloud, all of it in this process and under one virtual time. */
export class SimFleet {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly broker: SimBroker;
  readonly cloud: SimCloud;
  readonly stations: SimStation[];
  /** Boards that ran for a while with the identity of a station, beside it. */
  readonly clones: SimStation[] = [];
  /** What the cloud told stations is stored: the highest sequence of every epoch. */
  readonly promises = new Map<string, number>();
  /** The cloud's clock was always right: the stations' times rest on it. */
  cloudClockTold = true;
  readonly #disks: SimDisks;
  readonly #log: Logger;
  readonly #dayMs: number;

  /** Sets everything up; nothing runs yet. */
  constructor(seed: number, count: number, disks: SimDisks, log: Logger) {
    disks.begin(seed);
    this.#disks = disks;
    this.#log = log;
    this.random = seededRandom(seed);
    const order = this.random.fork('order');
    this.timeline = new Timeline(() => order.next());
    this.broker = new SimBroker(this.timeline, this.random.fork('broker'));
    this.broker.admit(cloudUser, cloudUser);
    this.cloud = new SimCloud(disks.machine('cloud'), this.broker, this.random.fork('cloud'), this.timeline, log);
    this.#dayMs = this.random.fork('day').int(24) * hourMs;
    this.stations = Array.from({ length: count }, (_, index) => this.#station(`station-${index + 1}`, ''));
  }

  async start(): Promise<void> {
    for (const { id } of this.stations) this.broker.admit(id, passwordOf(id));
    await this.cloud.register(this.stations.map(({ id }) => ({ id, password: passwordOf(id) })));
    this.cloud.startProcess();
    for (const station of this.stations) station.boot({ kind: 'right' });
  }

  /**
   * A second board takes the identity of a station for a while.
   *
   * @param fresh with an outbox of its own, not with a copy of the other's
   */
  clone(index: number, fresh: boolean, forMs: number): void {
    const original = this.stations[index];
    if (!original) return;
    const clone = this.#station(original.id, `-clone-${this.clones.length + 1}`);
    if (!fresh) original.disk.copyTo(clone.disk, 'outbox.db');
    this.clones.push(clone);
    clone.boot({ kind: 'right' });
    this.timeline.after(forMs, () => {
      clone.retire();
      // What it did not tell in time goes with it.
      clone.accepted.fileLost();
    });
  }

  end(): void {
    for (const machine of [this.cloud, ...this.stations, ...this.clones]) machine.retire();
  }

  #station(id: string, suffix: string): SimStation {
    const { timeline, broker, random } = this;
    const chance = random.fork(id + suffix);
    const board = new SimBoard({ visitsPerDay: 10 + chance.int(60), ports: 2, startMs: this.#dayMs }, chance, timeline);
    const accepted = new AcceptedLog();
    const disk = this.#disks.machine(id + suffix);
    return new SimStation(id, board, disk, accepted, chance, { timeline, broker, log: this.#log });
  }
}
