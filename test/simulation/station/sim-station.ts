import type { AgentIo } from '../../../agent/agent-io.ts';
import { type AgentConfig, agentConfig } from '../../../agent/config.ts';
import { startDrivers } from '../../../agent/sensors/start-drivers.ts';
import { type Order, type Orders, superviseAgent } from '../../../agent/supervisor.ts';
import type { Logger } from '../../../protocol/host/log.ts';
import type { Random } from '../../../simulator/core/random.ts';
import type { MachineDisk } from '../disk/sim-disk.ts';
import { Life, type MachineTime, processClock } from '../kernel/life.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { SimBroker } from '../network/sim-broker.ts';
import { Uplink } from '../network/uplink.ts';
import type { AcceptedLog } from './accepted-log.ts';
import type { SimBoard } from './sim-board.ts';

/** Real time of the beginning of every simulation. */
export const epochMs = Date.UTC(2026, 5, 1);

/** A service manager starts the agent again after this. */
const restartMs = 2000;
const ports = 2;
export const reportIntervalS = 300;
export const silentAfterS = 240;

export type StationShared = { timeline: Timeline; broker: SimBroker; log: Logger };

/** How a station's wall clock stands when its machine boots. */
export type WallAtBoot = { kind: 'right' } | { kind: 'wrong'; atMs: number };

/** A kiosk board: its power, clocks, disk, network and sensor board, and the agent that runs on it. */
export class SimStation {
  readonly id: string;
  readonly uplink = new Uplink();
  readonly disk: MachineDisk;
  readonly board: SimBoard;
  readonly accepted: AcceptedLog;
  ntp = false;
  onCommit: () => void = () => {};
  readonly #shared: StationShared;
  readonly #random: Random;
  readonly #config: AgentConfig;
  #boots = 0;
  #time: MachineTime;
  #wallOffsetMs = 0;
  #life: Life | null = null;
  #give: ((order: Order) => void) | null = null;
  #powered = true;

  constructor(
    id: string,
    board: SimBoard,
    disk: MachineDisk,
    accepted: AcceptedLog,
    random: Random,
    shared: StationShared,
  ) {
    this.id = id;
    this.board = board;
    this.disk = disk;
    this.accepted = accepted;
    this.#random = random;
    this.#shared = shared;
    this.#config = stationConfig(id, disk.directory);
    this.#time = { bootedMs: 0, wallMs: () => epochMs + shared.timeline.nowMs + this.#wallOffsetMs };
  }

  /** The agent's process, while one runs. */
  get life(): Life | null {
    return this.#life?.alive ? this.#life : null;
  }

  get powered(): boolean {
    return this.#powered;
  }

  /** Wall clock of the machine minus the truth, ms. */
  set wallOffsetMs(offsetMs: number) {
    this.#wallOffsetMs = offsetMs;
  }

  boot(wall: WallAtBoot): void {
    const { nowMs } = this.#shared.timeline;
    this.#boots += 1;
    this.#powered = true;
    this.#time = { ...this.#time, bootedMs: nowMs };
    this.#wallOffsetMs = wall.kind === 'right' ? 0 : wall.atMs - (epochMs + nowMs);
    this.startProcess();
  }

  /** Starts the agent, and again whenever it ends. */
  startProcess(): void {
    if (!this.#powered || this.life) return;
    const life = new Life(this.#shared.timeline);
    this.#life = life;
    this.accepted.processStarted();
    life.onDeath(() => {
      this.accepted.processDied();
      this.disk.killProcess();
      this.#shared.timeline.after(restartMs, () => this.startProcess());
    });
    const ended = (): void => life.die();
    superviseAgent(this.#config, this.#orders(), this.#io(life)).then(ended, (error: unknown) => {
      if (life.alive) this.#shared.log.error({ station: this.id, err: error }, 'agent ended by an error');
      ended();
    });
  }

  stopProcess(): void {
    this.#give?.({ kind: 'stop', reason: 'SIGTERM' });
  }

  reload(): void {
    this.#give?.({ kind: 'reload', config: this.#config });
  }

  /** Power is gone, for the board behind the wire too; it comes back after `offMs`. */
  cutPower(offMs: number, wall: WallAtBoot, betweenBoots: () => void = () => {}): void {
    if (!this.#powered) return;
    this.#powered = false;
    this.uplink.set({ kind: 'half-open', up: false, down: false });
    this.#life?.die();
    if (this.disk.lying) this.accepted.fileLost();
    this.disk.cutPower();
    this.accepted.boardRestarts(this.board.counted);
    this.board.powerOff();
    this.#shared.timeline.after(offMs, () => {
      betweenBoots();
      this.uplink.set({ kind: 'up' });
      this.board.powerOn();
      this.boot(wall);
    });
  }

  /** Taken off the wall for good. */
  retire(): void {
    this.#powered = false;
    this.#life?.die();
    this.board.powerOff();
  }

  restartBoard(): void {
    this.accepted.boardRestarts(this.board.counted);
    this.board.restart();
  }

  #orders(): Orders {
    const queue: Order[] = [];
    let waiting: ((order: Order) => void) | null = null;
    this.#give = (order) => {
      if (waiting) waiting(order);
      else queue.push(order);
      waiting = null;
    };
    return {
      next: () => {
        const order = queue.shift();
        if (order) return Promise.resolve(order);
        return new Promise((resolve) => {
          waiting = resolve;
        });
      },
    };
  }

  #io(life: Life): AgentIo {
    const { timeline, broker, log } = this.#shared;
    const random = this.#random.fork(`process ${timeline.steps}`);
    const hex = (digits: number): string => Array.from({ length: digits }, () => random.int(16).toString(16)).join('');
    return {
      clock: processClock(timeline, life, this.#time),
      random: () => random.next(),
      newId: () => hex(32),
      newToken: () => hex(16),
      boot: `${this.disk.directory} boot ${this.#boots}`,
      log: log.child({ station: this.id }),
      disk: this.disk.diskFor(life),
      openSession: broker.transport(this.uplink, life),
      openWire: this.board.openerFor(life),
      turn: () => new Promise((resolve) => void timeline.after(0, () => life.run(resolve))),
      startDrivers,
      bytesWritten: () => null,
      ntpSynchronised: () => this.ntp,
      committed: (commit) => {
        this.accepted.committed(commit, this.#time.bootedMs);
        this.onCommit();
      },
    };
  }
}

export function passwordOf(id: string): string {
  return `password of ${id}`;
}

function stationConfig(id: string, dataDir: string): AgentConfig {
  return agentConfig(
    {
      station: id,
      dataDir,
      capacity: 8,
      cloud: { url: 'mqtt://broker:1883', username: id, password: passwordOf(id) },
      reportIntervalS,
      // Everything that only waits is slower than on a board: a day has to pass in a moment.
      tickS: 60,
      housekeepingS: 300,
      schedule: { lookS: 60 },
      health: { boardSettleS: 150 },
      sensors: [
        {
          driver: 'board',
          port: '/dev/board',
          silentAfterS,
          readSilenceS: 200,
          expect: ['door', 'people', 'water', ...Array.from({ length: ports }, (_, index) => `port-${index + 1}`)],
          ignore: ['env'],
        },
      ],
      outbox: { ballastBytes: 65_536, maxBytes: 4_000_000, checkInlineMaxBytes: 1e12 },
    },
    `${dataDir}/station.yaml`,
  );
}
