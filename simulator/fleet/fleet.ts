import { type Clock, every, sleep } from '../../protocol/host/clock.ts';
import type { OpenSession } from '../../protocol/host/session.ts';
import { seededRandom } from '../core/random.ts';
import { LedgerWriter } from '../ledger/ledger.ts';
import type { Login } from '../programs.ts';
import { StationClient } from './station-client.ts';

export type FleetConfig = {
  url: string;
  logins: readonly Login[];
  seed: number;
  visitsPerDay: number;
  ports: number;
  speed: number;
  reportIntervalS: number;
  ledgerDir: string;
  /** Every station loses its uplink this often on average, s; 0 never. */
  cutEveryS: number;
  cutForS: number;
  /** New connections a second at the start. */
  connectPerS: number;
};

export type FleetCounts = { stations: number; connected: number; events: number; acked: number; cuts: number };

const tickMs = 1000;
const windowBatches = 4;

/** Thousands of stations that speak MQTT to a cloud, in one process. */
export class Fleet {
  readonly #clients: StationClient[];
  readonly #stops: (() => void)[];
  #cuts = 0;

  constructor(config: FleetConfig, openSession: OpenSession, clock: Clock) {
    const random = seededRandom(config.seed);
    this.#clients = [];
    let lastMs = clock.monotonicMs();
    const waiting = [...config.logins];
    const join = (): void => {
      for (const { id, password } of waiting.splice(0, Math.max(1, Math.round((config.connectPerS * tickMs) / 1000)))) {
        const { url, visitsPerDay, ports, speed, reportIntervalS } = config;
        const station = { station: id, password, url, visitsPerDay, ports, speed, reportIntervalS, windowBatches };
        this.#clients.push(
          new StationClient(station, random.fork(id), new LedgerWriter(config.ledgerDir, id), openSession, clock),
        );
      }
    };
    const chance = random.fork('cuts');
    const tick = (): void => {
      const nowMs = clock.monotonicMs();
      const elapsedMs = nowMs - lastMs;
      lastMs = nowMs;
      if (waiting.length > 0) join();
      for (const client of this.#clients) {
        if (config.cutEveryS > 0 && chance.chance(elapsedMs / 1000 / config.cutEveryS)) {
          client.cutUplink(config.cutForS * 1000);
          this.#cuts += 1;
        }
        client.tick(elapsedMs);
      }
    };
    join();
    this.#stops = [every(clock, tickMs, tick)];
  }

  get counts(): FleetCounts {
    const counts = { stations: this.#clients.length, connected: 0, events: 0, acked: 0, cuts: this.#cuts };
    for (const client of this.#clients) {
      const { connected, events, acked } = client.counts;
      counts.connected += connected ? 1 : 0;
      counts.events += events;
      counts.acked += acked;
    }
    return counts;
  }

  /** Ends the worlds and waits until everything is acknowledged, or the time is over. */
  async drain(clock: Clock, timeoutMs: number): Promise<boolean> {
    for (const client of this.#clients) client.endWorld();
    const endMs = clock.monotonicMs() + timeoutMs;
    while (clock.monotonicMs() < endMs) {
      const { events, acked } = this.counts;
      if (acked === events) return true;
      await sleep(clock, 200);
    }
    return false;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.all(this.#clients.map((client) => client.stop()));
  }
}
