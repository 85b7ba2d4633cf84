import { stepStation } from '../../../agent/core/station.ts';
import { emptyMemory, type StationCore, startStation, stationMemory } from '../../../agent/core/station-core.ts';
import { memoryRows, readMemoryRows } from '../../../agent/core/station-memory.ts';
import { decodeLine, type LineHistory } from '../../../agent/sensors/board/decode.ts';
import { stationInput } from '../../../agent/sensors/station-input.ts';
import { formatBoardLine } from '../../../protocol/board-line.ts';
import type { EventBody } from '../../../protocol/events.ts';
import { boardSource, config } from './station-steps.ts';

export const fields = ['in', 'out', 'ml', 'mwh', 'presses'] as const;
export type Field = (typeof fields)[number];
export type Sums = Record<Field, number>;

const modulus = 2 ** 32;
/** Counters that a fall would be taken for the wrap of. */
const nearWrap = (counted: Sums): boolean => Object.values(counted).some((raw) => raw > modulus - 2 ** 28);

/** A board so young that the next one is no younger cannot be told from it. */
const youngS = 60;

const none = (): Sums => ({ in: 0, out: 0, ml: 0, mwh: 0, presses: 0 });

/** The lines of one board by the fields that they tell. */
const lines: Record<string, readonly Field[]> = {
  people: ['in', 'out'],
  water: ['ml'],
  'port-1': ['mwh'],
  button: ['presses'],
};

export const sensors = ['board', ...Object.keys(lines)];

/**
 * A board that counts, its wire, and an agent that hears it: the truth beside what the agent's events add up to.
 * Everything that the board said and the agent heard is told; the first words of all are a baseline.
 */
export class CountingBoard {
  /** What the agent was told, and what its events say. */
  readonly told = none();
  readonly said = none();
  /** False once something happened that no wire can tell (protocol README §1). */
  exact = true;
  /**
   * False once a board that restarted unheard and said no up= for ten seconds was taken for what it was, and its
   * counters were near the wrap, or the machine's clock began again before the up= came.
   */
  bounded = true;
  seconds = 1000;
  #core: StationCore;
  #history: LineHistory = {};
  #boot = 0;
  #bootedS: number;
  #lastHeardS = this.seconds;
  #n: number;
  /** Counted by this run of the board, and how much of it was heard. */
  #counted: Sums;
  #heard: Sums | null = null;
  /** The board restarted while nobody listened; what it had counted until then. */
  #unheardRun: Sums | null = null;
  /** The agent does not know whether the board restarted. */
  #inDoubt = false;
  /** What it was told in doubt cannot be dated any more: the machine's clock began again. */
  #undated = false;
  #guessed = false;

  constructor(start: Sums, firstLine: number, upS: number) {
    this.#counted = { ...start };
    this.#n = firstLine;
    this.#bootedS = this.seconds - upS;
    this.#core = startStation({ 'board-1': boardSource }, emptyMemory, 'boot-0', this.#monoMs());
    this.speak([]);
    this.#heard = { ...this.#counted };
    Object.assign(this.told, none());
  }

  count(field: Field, by: number): void {
    this.#counted[field] += by;
  }

  wait(seconds: number): void {
    for (const endS = this.seconds + seconds; this.seconds < endS; ) {
      this.seconds = Math.min(endS, this.seconds + 5);
      this.#step({ type: 'tick', at: this.#at() });
      if (this.#unheardRun && Object.values(this.#core.boards).every((run) => run.settled)) this.#takenAsItWas();
    }
  }

  /** Everything is said; of the lines in `lost` nothing arrives. */
  speak(lost: readonly string[]): void {
    this.#line('board', { up: Math.floor(this.seconds - this.#bootedS) }, lost);
    for (const [sensor, told] of Object.entries(lines)) {
      const raw = (field: Field): number => this.#counted[field] % modulus;
      const plain: Record<string, Record<string, number>> = {
        people: { in: raw('in'), out: raw('out') },
        water: { hot: 90, ml: raw('ml') },
        'port-1': { mw: 9000, mwh: raw('mwh') },
        button: { sos: raw('presses') },
      };
      if (this.#line(sensor, plain[sensor] ?? {}, lost)) for (const field of told) this.#tell(field);
    }
  }

  /** The board restarts and says so before anything else. */
  restart(): void {
    // What was said in doubt is of the run before, or of one between: the smaller answer counts nothing twice.
    const young = this.seconds - this.#bootedS < youngS;
    if (this.#inDoubt && (young || this.#unheardRun || this.#undated || nearWrap(this.#counted))) this.exact = false;
    this.wait(2);
    this.#begin();
    this.#line('board', { up: 0 }, []);
  }

  /** The agent restarts, with or without its machine; the board may restart meanwhile, unheard. */
  agentRestart(awayS: number, machine: boolean, board: boolean): void {
    const upS = this.seconds - this.#bootedS;
    const memory = readMemoryRows(memoryRows(stationMemory(this.#core))).memory;
    this.seconds += awayS;
    if (board) {
      if (this.#inDoubt || upS < youngS || awayS > 300) this.exact = false;
      this.#unheardRun ??= { ...this.#counted };
      this.#begin();
      this.seconds += 1;
    }
    if (machine) {
      this.#boot += 1;
      this.#undated = this.#inDoubt;
      if (this.#guessed) this.bounded = false;
    }
    this.#history = {};
    this.#inDoubt = true;
    this.#core = startStation({ 'board-1': boardSource }, memory, `boot-${this.#boot}`, this.#monoMs());
  }

  flush(): void {
    this.#step({ type: 'flush', at: this.#at() });
  }

  #begin(): void {
    this.#bootedS = this.seconds;
    this.#n = 0;
    this.#counted = none();
    this.#heard = none();
  }

  /** Ten seconds without any up=: what looks like the run before, or like a wrap, counts as that. */
  #takenAsItWas(): void {
    this.exact = false;
    this.#guessed = true;
    if (this.#unheardRun && nearWrap(this.#unheardRun)) this.bounded = false;
  }

  #tell(field: Field): void {
    this.told[field] += this.#counted[field] - (this.#heard?.[field] ?? 0);
    if (this.#heard) this.#heard[field] = this.#counted[field];
  }

  #line(sensor: string, values: Record<string, number>, lost: readonly string[]): boolean {
    const line = formatBoardLine({ board: 'A7', n: this.#n, sensor, fields: values });
    this.#n = (this.#n + 1) % 65_536;
    if (lost.includes(sensor)) return false;
    if (this.seconds - this.#lastHeardS > 60) this.#inDoubt = true;
    this.#lastHeardS = this.seconds;
    // What was said of the unheard run before the machine's reboot is left for it to say again.
    if (sensor === 'board' && this.#undated && this.#unheardRun) this.exact = false;
    const decoded = decodeLine(this.#history, line.trimEnd(), this.#monoMs(), 'board-1', {
      rename: {},
      ignore: new Set(),
    });
    this.#history = decoded.history;
    for (const event of decoded.events) {
      const input = stationInput('board-1', event, this.#at());
      if (input) this.#step(input);
    }
    // One that is less than it must be needs a second one before it is believed.
    if (sensor === 'board' && Object.values(this.#core.boards).every((run) => run.settled)) {
      this.#inDoubt = this.#undated = this.#guessed = false;
      this.#unheardRun = null;
    }
    return true;
  }

  #step(input: Parameters<typeof stepStation>[1]): void {
    const { core, effects } = stepStation(this.#core, input, config);
    this.#core = core;
    for (const effect of effects) if (effect.type === 'said') this.#add(effect.event.body);
  }

  #add(body: EventBody): void {
    if (body.kind === 'people') {
      this.said.in += body.in;
      this.said.out += body.out;
    } else if (body.kind === 'water') this.said.ml += body.ml;
    else if (body.kind === 'port') this.said.mwh += body.mwh;
    else if (body.kind === 'sos') this.said.presses += body.presses;
  }

  /** Every boot of the machine has a monotonic clock of its own. */
  #monoMs(): number {
    return this.seconds * 1000 - this.#boot * 700_000;
  }

  #at() {
    return { monoMs: this.#monoMs(), wallMs: Date.UTC(2026, 10, 23) + this.seconds * 1000 };
  }
}
