import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';
import { worldTimeMs } from '../core/arrivals.ts';
import { BoardModel, type Counters } from '../core/board-model.ts';
import type { Random } from '../core/random.ts';
import { type Sensed, World, type WorldConfig } from '../core/world.ts';
import { sufferLine, type WireFaults } from '../faults/wire-faults.ts';
import type { CountedField, LedgerWriter } from '../ledger/ledger.ts';
import type { ByteSink } from './byte-sink.ts';

export type BoardRunnerConfig = {
  board: string;
  world: WorldConfig;
  /** Ports of the world that are the board's own; others have smart plugs. */
  boardPorts: number;
  /** World time passes this many times faster than ours. */
  speed: number;
  faults: WireFaults;
  /** Nothing happens for this long after the first listener came: it sees the counters at 0. */
  settleMs: number;
};

const tickMs = 50;

/** A simulated board on a wire: its world, its lines, its faults, and the ledger of the truth. */
export class BoardRunner {
  readonly #config: BoardRunnerConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sink: ByteSink;
  readonly #ledger: LedgerWriter;
  readonly #world: World;
  readonly #model: BoardModel;
  readonly #timers: Cancel[];
  #worldMs: number;
  #passedMs: number;
  #settledMs: number | null = null;
  /** What intact lines told of this run of the board. */
  #told = new Map<string, Readonly<Record<string, number>>>();
  #before: Counters = {};
  #restarts = 0;

  constructor(config: BoardRunnerConfig, random: Random, sink: ByteSink, ledger: LedgerWriter, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#random = random.fork('wire');
    this.#sink = sink;
    this.#ledger = ledger;
    this.#worldMs = worldTimeMs(clock.wallMs());
    this.#world = new World(config.world, random.fork('world'), this.#worldMs);
    this.#model = new BoardModel(config.board, clock.monotonicMs());
    this.#passedMs = clock.monotonicMs();
    const { unplugEveryS, unplugForS, restartEveryS } = config.faults;
    this.#timers = [every(clock, tickMs, () => this.#tick())];
    if (unplugEveryS > 0) this.#timers.push(every(clock, unplugEveryS * 1000, () => sink.unplug(unplugForS * 1000)));
    if (restartEveryS > 0) this.#timers.push(every(clock, restartEveryS * 1000, () => this.restart()));
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** What any other sensor in the same room would see. */
  sensed(): Sensed {
    return this.#world.sensed();
  }

  /** Power cut and back: the counters begin again. */
  restart(): void {
    this.#noteUntold();
    this.#told.clear();
    this.#before = {};
    this.#restarts += 1;
    this.#model.restart(this.#boardSensed(), this.#clock.monotonicMs());
  }

  stop(): void {
    for (const cancel of this.#timers) cancel();
    this.#noteUntold();
    this.#ledger.flush();
  }

  /** What this run of the board counted and no intact line told is lost to everyone. */
  #noteUntold(): void {
    for (const [sensor, fields] of Object.entries(this.#model.counters)) {
      for (const [field, value] of Object.entries(fields)) {
        const by = value - (this.#told.get(sensor)?.[field] ?? 0);
        if (by > 0)
          this.#ledger.add({ kind: 'untold', at: this.#clock.wallMs(), sensor, field: ledgerField(field), by });
      }
    }
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#passedMs;
    this.#passedMs = nowMs;
    if (this.#sink.listened() && this.#settledMs === null) this.#settledMs = nowMs + this.#config.settleMs;
    if (this.#settledMs !== null && nowMs >= this.#settledMs) {
      this.#worldMs += elapsedMs * this.#config.speed;
      for (const happening of this.#world.advance(this.#worldMs)) {
        if (happening.kind === 'door')
          this.#ledger.add({ kind: 'door', at: this.#clock.wallMs(), open: happening.open });
      }
    }
    const lines = this.#model.lines(this.#boardSensed(), nowMs);
    this.#noteCounts();
    this.#ledger.flush();
    for (const { sensor, line, counters } of lines) {
      const { bytes, intact } = sufferLine(line, this.#faultsNow(), this.#random);
      const heard = bytes !== null && this.#sink.write(bytes);
      if (heard && intact) this.#told.set(sensor, counters);
    }
  }

  #boardSensed(): Sensed {
    const sensed = this.#world.sensed();
    return { ...sensed, ports: sensed.ports.slice(0, this.#config.boardPorts) };
  }

  #noteCounts(): void {
    const { counters } = this.#model;
    for (const [sensor, fields] of Object.entries(counters)) {
      for (const [field, value] of Object.entries(fields)) {
        const by = value - (this.#before[sensor]?.[field] ?? 0);
        if (by > 0)
          this.#ledger.add({ kind: 'count', at: this.#clock.wallMs(), sensor, field: ledgerField(field), by });
      }
    }
    this.#before = counters;
  }

  /** Nothing goes wrong before the counters were seen at 0. */
  #faultsNow(): WireFaults {
    const settled = this.#settledMs !== null && this.#clock.monotonicMs() >= this.#settledMs;
    return settled ? this.#config.faults : { ...this.#config.faults, garble: 0, drop: 0 };
  }
}

function ledgerField(field: string): CountedField {
  if (field === 'sos') return 'presses';
  if (field === 'in' || field === 'out' || field === 'ml' || field === 'mwh') return field;
  throw new Error(`not a counter: ${field}`);
}
