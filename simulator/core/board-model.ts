import { counterModulus, formatBoardLine, lineCounterModulus } from '../../protocol/board-line.ts';
import type { Sensed } from './world.ts';

/** Counters of the wire by sensor, as one board run has counted them. */
export type Counters = Readonly<Record<string, Readonly<Record<string, number>>>>;

export type OutgoingLine = { sensor: string; line: string; counters: Readonly<Record<string, number>> };

/** A board speaks every sensor at least this often (protocol README §1). */
const mostSilentMs = 5000;

export type BoardModelOptions = {
  /** Line counter of the first line: near its wrap, to see it wrap. */
  firstLine?: number;
  /** Every sensor speaks at least this often, ms. */
  repeatMs?: number;
  /** Value of every counter at the beginning of the first run: near the wrap, to see it wrap. */
  countersFrom?: number;
};

type Fields = Readonly<Record<string, string | number>>;

/**
 * One sensor board: what it says of what it senses, when it has to say it, and how its counters
 * begin again at a restart (protocol README §1).
 */
export class BoardModel {
  readonly #board: string;
  readonly #repeatMs: number;
  #n: number;
  /** What every counter of this run began at. */
  #countersFrom: number;
  #bootedMs: number;
  /** What the world had counted when this run of the board began. */
  #base: Counters = {};
  #counters: Counters = {};
  readonly #said = new Map<string, { text: string; atMs: number; mw: number }>();

  constructor(board: string, nowMs: number, options: BoardModelOptions = {}) {
    this.#board = board;
    this.#bootedMs = nowMs;
    this.#n = options.firstLine ?? 0;
    this.#repeatMs = options.repeatMs ?? mostSilentMs;
    this.#countersFrom = options.countersFrom ?? 0;
  }

  /** What each counter gained in this run. */
  get counters(): Counters {
    return this.#counters;
  }

  /** Power was cut: every counter begins again, and so does the line counter. */
  restart(sensed: Sensed, nowMs: number): void {
    this.#bootedMs = nowMs;
    this.#n = 0;
    this.#countersFrom = 0;
    this.#base = rawCounters(sensed);
    this.#said.clear();
  }

  /** Lines that are due: what changed, and what was not said for a while. */
  lines(sensed: Sensed, nowMs: number): OutgoingLine[] {
    this.#counters = gained(rawCounters(sensed), this.#base);
    const due: OutgoingLine[] = [];
    for (const [sensor, fields] of Object.entries(this.#fields(sensed, nowMs))) {
      const said = this.#said.get(sensor);
      const mw = Number(fields['mw'] ?? 0);
      const text = signature(fields);
      const changed = said !== undefined && (said.text !== text || Math.abs(said.mw - mw) > 200);
      if (said && !changed && nowMs - said.atMs < this.#repeatMs) continue;
      this.#said.set(sensor, { text, atMs: nowMs, mw });
      due.push({ sensor, line: this.#line(sensor, fields), counters: this.#counters[sensor] ?? {} });
    }
    return due;
  }

  #line(sensor: string, fields: Fields): string {
    const line = formatBoardLine({ board: this.#board, n: this.#n, sensor, fields });
    this.#n = (this.#n + 1) % lineCounterModulus;
    return line;
  }

  #fields(sensed: Sensed, nowMs: number): Record<string, Fields> {
    const { doorOpen, inside, water, ports, env } = sensed;
    const counted = (sensor: string, field: string): number =>
      (this.#countersFrom + (this.#counters[sensor]?.[field] ?? 0)) % counterModulus;
    return {
      // First: after a restart the board announces it before anything else.
      board: { up: Math.floor((nowMs - this.#bootedMs) / 1000), fw: 'sim-1' },
      door: { open: doorOpen ? 1 : 0, locked: 0 },
      people: { in: counted('people', 'in'), out: counted('people', 'out'), present: inside > 0 ? 1 : 0 },
      water: {
        tank: water.tankPct,
        hot: water.hotC.toFixed(1),
        cold: water.coldC.toFixed(1),
        ml: counted('water', 'ml'),
        leak: 0,
        fault: 0,
        filter: water.filterPct,
      },
      ...Object.fromEntries(
        ports.map(({ mw }, index) => [
          `port-${index + 1}`,
          { mw: Math.round(mw), mwh: counted(`port-${index + 1}`, 'mwh'), fault: 0 },
        ]),
      ),
      env: { temp: env.tempC.toFixed(1), rh: env.rhPct, co2: env.co2Ppm, smoke: 0, flood: 0, mains: 1 },
      button: { sos: counted('button', 'sos') },
    };
  }
}

/** What makes a line due at once; what drifts by itself waits for its turn. */
function signature({
  up: _up,
  hot: _hot,
  mw: _mw,
  mwh: _mwh,
  temp: _temp,
  co2: _co2,
  filter: _filter,
  tank: _tank,
  ...rest
}: Fields): string {
  return JSON.stringify(rest);
}

function rawCounters({ counted, water, ports, presses }: Sensed): Counters {
  return {
    people: { in: counted.in, out: counted.out },
    water: { ml: water.ml },
    ...Object.fromEntries(ports.map(({ mwh }, index) => [`port-${index + 1}`, { mwh }])),
    button: { sos: presses },
  };
}

function gained(now: Counters, base: Counters): Counters {
  return Object.fromEntries(
    Object.entries(now).map(([sensor, fields]) => [
      sensor,
      Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, value - (base[sensor]?.[field] ?? 0)])),
    ]),
  );
}
