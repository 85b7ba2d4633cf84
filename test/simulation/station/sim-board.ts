import { PassThrough } from 'node:stream';
import type { OpenWire } from '../../../agent/sensors/board/address.ts';
import { counterModulus, lineCounterModulus } from '../../../protocol/board-line.ts';
import type { Cancel } from '../../../protocol/host/clock.ts';
import { BoardModel } from '../../../simulator/core/board-model.ts';
import type { Random } from '../../../simulator/core/random.ts';
import { type Sensed, World } from '../../../simulator/core/world.ts';
import { noFaults, sufferLine } from '../../../simulator/faults/wire-faults.ts';
import type { CountedField } from '../../../simulator/ledger/ledger.ts';
import type { Life } from '../kernel/life.ts';
import type { Timeline } from '../kernel/timeline.ts';

/** Every sensor speaks at least this often; a real board twelve times as often. */
export const repeatMs = 60_000;

/** Nobody comes before: the agent has heard every counter once by then. */
export const settleMs = 5 * repeatMs;

export type BoardConfig = {
  visitsPerDay: number;
  ports: number /** Local time of the beginning, ms since midnight. */;
  startMs: number;
};

/** A wire's noise: shares of its lines. */
export type WireNoise = { garble: number; drop: number };

type Listener = { bytes: PassThrough; life: Life };

/** A sensor board in a room where workers come and go: its lines, its restarts, and the truth that it counted. */
export class SimBoard {
  noise: WireNoise = { garble: 0, drop: 0 };
  /** What the board counted since the beginning, by `sensor field`. */
  readonly counted = new Map<string, number>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #world: World;
  readonly #model: BoardModel;
  readonly #startMs: number;
  readonly #ports: number;
  #before: ReadonlyMap<string, number> = new Map();
  #listener: Listener | null = null;
  #plugged = true;
  #frozenMs: number | null = null;
  #powered = true;
  #cancel: Cancel = () => {};

  constructor(config: BoardConfig, random: Random, timeline: Timeline) {
    this.#timeline = timeline;
    this.#random = random.fork('wire');
    this.#ports = config.ports;
    this.#startMs = config.startMs;
    this.#world = new World(config, random.fork('world'), config.startMs);
    // Some boards are old: their counters wrap within the day.
    const old = this.#random.chance(0.5);
    const firstLine = old ? lineCounterModulus - 1 - this.#random.int(500) : 0;
    const countersFrom = old ? counterModulus - 1 - this.#random.int(3000) : 0;
    this.#model = new BoardModel('SIM', 0, { repeatMs, firstLine, countersFrom });
    this.#speak();
  }

  /** What truly is, whoever sees it. */
  sensed(): Sensed {
    return this.#world.sensed();
  }

  /** The wire as a process opens it. */
  openerFor(life: Life): OpenWire {
    return async () => {
      life.enter();
      if (!this.#plugged) throw new Error('ENOENT: no such file or directory, cannot open /dev/board');
      const bytes = new PassThrough();
      const listener: Listener = { bytes, life };
      this.#listener = listener;
      return {
        bytes,
        hangUp: (done) => {
          if (this.#listener === listener) this.#listener = null;
          bytes.once('close', done);
          bytes.destroy();
        },
      };
    };
  }

  /** @param silently the port still looks open */
  unplug(forMs: number, silently: boolean): void {
    this.#plugged = false;
    const listener = this.#listener;
    this.#listener = null;
    if (!silently) listener?.life.run(() => void listener.bytes.destroy());
    this.#timeline.after(forMs, () => {
      this.#plugged = true;
      if (silently && listener?.life.alive && !listener.bytes.destroyed) this.#listener ??= listener;
    });
  }

  /** The board alone begins anew, and its counters with it. */
  restart(): void {
    this.#model.restart(this.#sensedByBoard(), this.#timeline.nowMs);
    this.#before = new Map();
    if (this.#powered) this.#speak();
  }

  /** Nobody comes any more: what was counted is what there is to tell. */
  freeze(): void {
    this.#frozenMs ??= this.#timeline.nowMs;
  }

  powerOff(): void {
    this.#powered = false;
    this.#listener = null;
    this.#cancel();
  }

  powerOn(): void {
    this.#advance();
    this.#powered = true;
    this.restart();
  }

  #speak(): void {
    this.#cancel();
    this.#advance();
    const { nowMs } = this.#timeline;
    const lines = this.#model.lines(this.#sensedByBoard(), nowMs);
    this.#count();
    const bytes: Buffer[] = [];
    for (const { line } of lines) {
      const suffered = sufferLine(line, { ...noFaults, ...this.noise }, this.#random);
      if (suffered.bytes) bytes.push(suffered.bytes);
    }
    const listener = this.#listener;
    if (bytes.length > 0) listener?.life.run(() => void listener.bytes.write(Buffer.concat(bytes)));
    const untilWorldMs = this.#frozenMs === null ? this.#world.nextMs - this.#worldMs(nowMs) : Number.POSITIVE_INFINITY;
    this.#cancel = this.#timeline.after(Math.max(1, Math.min(untilWorldMs, repeatMs)), () => this.#speak());
  }

  #advance(): void {
    this.#world.advance(this.#worldMs(this.#frozenMs ?? this.#timeline.nowMs));
  }

  #worldMs(nowMs: number): number {
    return this.#startMs + Math.max(0, nowMs - settleMs);
  }

  #sensedByBoard(): Sensed {
    const sensed = this.#world.sensed();
    return { ...sensed, ports: sensed.ports.slice(0, this.#ports) };
  }

  #count(): void {
    const now = flat(this.#model.counters);
    for (const [key, value] of now) {
      const by = value - (this.#before.get(key) ?? 0);
      if (by > 0) this.counted.set(key, (this.counted.get(key) ?? 0) + by);
    }
    this.#before = now;
  }
}

function flat(counters: BoardModel['counters']): Map<string, number> {
  const values = new Map<string, number>();
  for (const [sensor, fields] of Object.entries(counters))
    for (const [field, value] of Object.entries(fields)) values.set(`${sensor} ${ledgerField(field)}`, value);
  return values;
}

function ledgerField(field: string): CountedField {
  return (field === 'sos' ? 'presses' : field) as CountedField;
}
