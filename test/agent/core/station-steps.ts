import { type LiveParts, liveParts } from '../../../agent/core/live-state.ts';
import type { Reading } from '../../../agent/core/reading.ts';
import { stepStation } from '../../../agent/core/station.ts';
import {
  emptyMemory,
  type SourceSpec,
  type StationConfig,
  type StationCore,
  type StationEffect,
  type StationInput,
  type StationMemory,
  startStation,
  stationMemory,
} from '../../../agent/core/station-core.ts';
import { memoryRows, readMemoryRows } from '../../../agent/core/station-memory.ts';
import type { EventBody } from '../../../protocol/events.ts';

/** The product's defaults. */
export const config: StationConfig = {
  door: { heldOpenMs: 300_000 },
  people: { emptyAfterMs: 600_000, doorShutEmptyMs: 14_400_000, quietIdleMs: 1_800_000 },
  water: { hotMinC: 75, coldMaxC: 20, hysteresisC: 10, minTankPct: 5, measureEveryMs: 300_000 },
  port: {
    chargingMw: 2000,
    fullMw: 1000,
    idleMw: 150,
    overloadMw: 3_500_000,
    chargingAfterMs: 3000,
    fullAfterMs: 60_000,
    freeAfterMs: 5000,
    measureEveryMs: 300_000,
  },
  env: { measureEveryMs: 300_000 },
  health: { flapMax: 20, flapWindowMs: 10_000, calmMs: 30_000 },
  maxSensors: 64,
  boardSettleMs: 10_000,
};

export const boardSource: SourceSpec = { counters: 'board', silentAfterMs: 15_000, expects: [] };
export const plugSource: SourceSpec = { counters: 'meter', silentAfterMs: 100_000, expects: ['port-5'] };

type Start = {
  sources?: Record<string, SourceSpec>;
  memory?: StationMemory;
  boot?: string;
  config?: Partial<StationConfig>;
};
type From = { source?: string; board?: string | null };
type Unstamped = StationInput extends infer I ? (I extends StationInput ? Omit<I, 'at'> : never) : never;

/** Readings in short. */
export const door = (open: boolean, locked?: boolean, sensor = 'door'): Reading => ({
  kind: 'door',
  sensor,
  open,
  ...(locked === undefined ? {} : { locked }),
});
export const people = (cameIn: number, out: number, present?: boolean): Reading => ({
  kind: 'people',
  sensor: 'people',
  in: cameIn,
  out,
  ...(present === undefined ? {} : { present }),
});
export const port = (mw: number, mwh?: number, sensor = 'port-1'): Reading => ({
  kind: 'port',
  sensor,
  mw,
  ...(mwh === undefined ? {} : { mwh }),
});
export const water = (ml: number, more: object = {}): Reading => ({
  kind: 'water',
  sensor: 'water',
  tankPct: 80,
  hotC: 90,
  coldC: 9,
  leak: false,
  fault: 0,
  filterPct: 60,
  ml,
  ...more,
});
export const button = (sos: number): Reading => ({ kind: 'button', sensor: 'button', sos });

/** A station at a time that its test turns, in seconds; it keeps what was said and refused. */
export class Station {
  core: StationCore;
  seconds = 0;
  #effects: StationEffect[] = [];
  readonly #sources: Record<string, SourceSpec>;
  readonly #config: StationConfig;

  constructor({ sources = { 'board-1': boardSource }, memory = emptyMemory, boot = 'A', config: more }: Start = {}) {
    this.#sources = sources;
    this.#config = { ...config, ...more };
    this.core = startStation(sources, memory, boot, 0);
  }

  at(seconds: number): this {
    this.seconds = seconds;
    return this;
  }

  hears(reading: Reading, { source = 'board-1', board = 'board-1/A7' }: From = {}): this {
    return this.step({ type: 'reading', source, board, reading });
  }

  up(upS: number, board = 'board-1/A7'): this {
    return this.step({ type: 'board-up', board, upS });
  }

  restarted(board = 'board-1/A7'): this {
    return this.step({ type: 'board-restarted', board });
  }

  unsettled(board = 'board-1/A7'): this {
    return this.step({ type: 'board-unsettled', board });
  }

  ticks(): this {
    return this.step({ type: 'tick' });
  }

  flush(): this {
    return this.step({ type: 'flush' });
  }

  step(input: Unstamped): this {
    const at = { monoMs: this.seconds * 1000, wallMs: null };
    const { core, effects } = stepStation(this.core, { ...input, at } as StationInput, this.#config);
    this.core = core;
    this.#effects.push(...effects);
    return this;
  }

  /** The agent stops and starts again with what its outbox kept. */
  reborn(change: { sources?: Record<string, SourceSpec>; boot?: string; lose?: readonly string[] } = {}): this {
    const rows = memoryRows(stationMemory(this.core));
    for (const key of change.lose ?? []) rows[key] = 'damaged';
    const sources = change.sources ?? this.#sources;
    this.core = startStation(sources, readMemoryRows(rows).memory, change.boot ?? 'A', this.seconds * 1000);
    return this;
  }

  /** Everything since it was asked last. */
  effects(): StationEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  said(): EventBody[] {
    return this.effects().flatMap((effect) => (effect.type === 'said' ? [effect.event.body] : []));
  }

  /** Events that are not about the health of a sensor. */
  told(): EventBody[] {
    return this.said().filter(({ kind }) => kind !== 'sensor');
  }

  live(): LiveParts {
    return liveParts(this.core);
  }
}

export const silent = (sensor: string, seconds = 15): EventBody => ({
  kind: 'sensor',
  sensor,
  health: 'silent',
  reason: `no word for ${seconds} s`,
});
export const well = (sensor: string): EventBody => ({ kind: 'sensor', sensor, health: 'ok', reason: '' });
