import { nextArrival } from './arrivals.ts';
import type { Random } from './random.ts';

export type WorldConfig = { visitsPerDay: number; ports: number };

/** What the sensors of a station would see. Counters are cumulative; energy is in whole mWh. */
export type Sensed = {
  doorOpen: boolean;
  counted: { in: number; out: number };
  inside: number;
  water: { tankPct: number; hotC: number; coldC: number; ml: number; filterPct: number };
  ports: readonly { mw: number; mwh: number }[];
  env: { tempC: number; rhPct: number; co2Ppm: number };
  presses: number;
};

/** Something that truly happened, for the ledger. */
export type Happening =
  | { at: number; kind: 'visit' | 'leave' }
  | { at: number; kind: 'door'; open: boolean }
  | { at: number; kind: 'drawn'; ml: number }
  | { at: number; kind: 'pressed' };

type Worker = { port: number | null };
type Due = { at: number; run: () => void };
type Port = { mw: number; uwh: number; user: Worker | null };

const minuteMs = 60_000;

/** Workers come, open the door, drink, charge and leave: one station, by its own seeded chance. */
export class World {
  readonly #random: Random;
  readonly #config: WorldConfig;
  readonly #due: Due[] = [];
  readonly #happenings: Happening[] = [];
  readonly #ports: Port[];
  readonly #sensed: {
    doorOpen: boolean;
    in: number;
    out: number;
    ml: number;
    tankPct: number;
    hotC: number;
    filterPct: number;
    presses: number;
  };
  #now: number;
  #doorOpenUntil = 0;

  /** @param startMs world time, ms since a midnight */
  constructor(config: WorldConfig, random: Random, startMs: number) {
    this.#config = config;
    this.#random = random;
    this.#now = startMs;
    this.#ports = Array.from({ length: config.ports }, () => ({ mw: 0, uwh: 0, user: null }));
    this.#sensed = { doorOpen: false, in: 0, out: 0, ml: 0, tankPct: 80, hotC: 92, filterPct: 90, presses: 0 };
    this.#expectWorker();
  }

  /** Lets time pass up to `toMs` and returns what happened, in its order. */
  advance(toMs: number): Happening[] {
    for (;;) {
      const next = this.#due.reduce<Due | null>(
        (first, due) => (first === null || due.at < first.at ? due : first),
        null,
      );
      if (next === null || next.at > toMs) break;
      this.#due.splice(this.#due.indexOf(next), 1);
      this.#flow(next.at);
      next.run();
    }
    this.#flow(toMs);
    return this.#happenings.splice(0);
  }

  /** World time at which the next thing happens by itself. */
  get nextMs(): number {
    return this.#due.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
  }

  sensed(): Sensed {
    const { doorOpen, in: cameIn, out, ml, tankPct, hotC, filterPct, presses } = this.#sensed;
    const inside = cameIn - out;
    return {
      doorOpen,
      counted: { in: cameIn, out },
      inside,
      water: {
        tankPct: Math.round(tankPct),
        hotC: Math.round(hotC * 10) / 10,
        coldC: 9,
        ml,
        filterPct: Math.round(filterPct),
      },
      ports: this.#ports.map(({ mw, uwh }) => ({ mw, mwh: Math.floor(uwh / 1000) })),
      env: { tempC: 22 + Math.min(4, inside), rhPct: 55, co2Ppm: 450 + 120 * inside },
      presses,
    };
  }

  /** What goes on by itself: energy, heating, refilling. */
  #flow(toMs: number): void {
    const ms = Math.max(0, toMs - this.#now);
    for (const port of this.#ports) port.uwh += (port.mw * ms) / 3600;
    this.#sensed.hotC = Math.min(95, this.#sensed.hotC + ms / 20_000);
    if (this.#sensed.tankPct < 15) this.#sensed.tankPct = 95;
    this.#now = Math.max(this.#now, toMs);
    if (this.#sensed.doorOpen && this.#now >= this.#doorOpenUntil) this.#door(false);
  }

  #expectWorker(): void {
    this.#at(nextArrival(this.#now, this.#config.visitsPerDay, this.#random) - this.#now, () => {
      this.#expectWorker();
      this.#comeIn();
    });
  }

  #comeIn(): void {
    this.#openDoor();
    this.#sensed.in += 1;
    this.#happened({ kind: 'visit' });
    const worker: Worker = { port: null };
    const stayMs = Math.min(4 * 60, Math.max(2, this.#random.logNormal(18, 0.8))) * minuteMs;
    if (this.#random.chance(0.6)) this.#at(stayMs * this.#random.next(), () => this.#drink());
    if (this.#random.chance(0.45)) this.#at(Math.min(stayMs / 4, minuteMs), () => this.#plugIn(worker, stayMs));
    if (this.#random.chance(0.0005)) this.#at(stayMs / 2, () => this.#press());
    this.#at(stayMs, () => this.#leave(worker));
  }

  #leave(worker: Worker): void {
    const port = worker.port === null ? undefined : this.#ports[worker.port];
    if (port) Object.assign(port, { user: null, mw: 0 });
    this.#openDoor();
    this.#sensed.out += 1;
    this.#happened({ kind: 'leave' });
  }

  #drink(): void {
    if (this.#sensed.tankPct < 5) return;
    const ml = 200 + 10 * this.#random.int(31);
    this.#sensed.ml += ml;
    this.#sensed.tankPct = Math.max(0, this.#sensed.tankPct - ml / 200);
    this.#sensed.filterPct = Math.max(5, this.#sensed.filterPct - 0.002);
    this.#sensed.hotC = Math.max(60, this.#sensed.hotC - ml / 100);
    this.#happened({ kind: 'drawn', ml });
  }

  /** Fast at first, a trickle once the phone is full. */
  #plugIn(worker: Worker, stayMs: number): void {
    const free = this.#ports.findIndex((port) => port.user === null);
    const port = this.#ports[free];
    if (!port) return;
    worker.port = free;
    Object.assign(port, { user: worker, mw: 5000 + 100 * this.#random.int(130) });
    const fullAfterMs = this.#random.logNormal(35, 0.4) * minuteMs;
    if (fullAfterMs < stayMs) this.#at(fullAfterMs, () => port.user === worker && Object.assign(port, { mw: 600 }));
  }

  #press(): void {
    this.#sensed.presses += 1;
    this.#happened({ kind: 'pressed' });
  }

  #openDoor(): void {
    const openMs = 3000 + 1000 * this.#random.int(4);
    this.#doorOpenUntil = Math.max(this.#doorOpenUntil, this.#now + openMs);
    this.#at(openMs, () => {});
    if (!this.#sensed.doorOpen) this.#door(true);
  }

  #door(open: boolean): void {
    this.#sensed.doorOpen = open;
    this.#happened({ kind: 'door', open });
  }

  #happened(
    what: { kind: 'visit' | 'leave' | 'pressed' } | { kind: 'door'; open: boolean } | { kind: 'drawn'; ml: number },
  ): void {
    this.#happenings.push({ at: this.#now, ...what });
  }

  #at(delayMs: number, run: () => void): void {
    this.#due.push({ at: this.#now + delayMs, run });
  }
}
