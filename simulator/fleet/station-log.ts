import { createHash } from 'node:crypto';
import type { StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';
import { worldTimeMs } from '../core/arrivals.ts';
import type { Random } from '../core/random.ts';
import { type Happening, type Sensed, World, type WorldConfig } from '../core/world.ts';
import type { LedgerWriter } from '../ledger/ledger.ts';

export type LiveParts = Pick<StationState, 'door' | 'people' | 'water' | 'ports' | 'sensors'>;

/** What a simulated station without a board has to say: its world as events, and as it stands now. */
export class StationLog {
  /** Events as JSON; the one at index i has sequence i + 1. */
  readonly events: string[] = [];
  readonly #epoch: string;
  readonly #world: World;
  readonly #ledger: LedgerWriter;
  readonly #portWords: string[] = [];
  #worldMs: number;

  constructor(epoch: string, config: WorldConfig, random: Random, ledger: LedgerWriter, wallMs: number) {
    this.#epoch = epoch;
    this.#ledger = ledger;
    this.#worldMs = worldTimeMs(wallMs);
    this.#world = new World(config, random, this.#worldMs);
    this.#say({ kind: 'agent', at: wallMs, sensor: 'agent', what: 'started' });
  }

  /** Lets world time pass. @returns whether anything happened */
  advance(worldMs: number, wallMs: number): boolean {
    const before = this.events.length;
    this.#worldMs += worldMs;
    for (const happening of this.#world.advance(this.#worldMs)) this.#tell(happening, wallMs);
    this.#tellPorts(wallMs);
    this.#ledger.flush();
    return this.events.length > before;
  }

  live(): LiveParts {
    const sensed = this.#world.sensed();
    const ports = sensed.ports.map(({ mw }, index) => ({ sensor: `port-${index + 1}`, state: portWord(mw), mw }));
    const names = ['door', 'people', 'water', ...ports.map((port) => port.sensor)];
    return {
      door: { sensor: 'door', open: sensed.doorOpen, locked: false, alarm: null },
      people: { inside: sensed.inside, basis: 'counted', present: null },
      water: [waterPart(sensed)],
      ports,
      sensors: Object.fromEntries(names.map((name) => [name, { health: 'ok' as const }])),
    };
  }

  #tell(happening: Happening, at: number): void {
    const { inside, water } = this.#world.sensed();
    switch (happening.kind) {
      case 'visit':
        return this.#say({ kind: 'people', at, sensor: 'people', in: 1, out: 0, inside, basis: 'counted' });
      case 'leave':
        return this.#say({ kind: 'people', at, sensor: 'people', in: 0, out: 1, inside, basis: 'counted' });
      case 'door':
        return this.#say({ kind: 'door', at, sensor: 'door', open: happening.open, locked: false });
      case 'drawn': {
        const { tankPct, hotC, coldC, filterPct } = water;
        return this.#say({
          kind: 'water',
          at,
          sensor: 'water',
          tankPct,
          hotC,
          coldC,
          ml: happening.ml,
          fault: 0,
          filterPct,
        });
      }
      case 'pressed':
        return this.#say({ kind: 'sos', at, sensor: 'button', presses: 1 });
    }
  }

  #tellPorts(at: number): void {
    this.#world.sensed().ports.forEach(({ mw }, index) => {
      const state = portWord(mw);
      if (this.#portWords[index] === state) return;
      this.#portWords[index] = state;
      this.#say({ kind: 'port', at, sensor: `port-${index + 1}`, state, mw, mwh: 0 });
    });
  }

  #say(event: StationEvent): void {
    const json = JSON.stringify(event);
    this.events.push(json);
    this.#ledger.add({
      kind: 'event',
      at: event.at,
      epoch: this.#epoch,
      seq: this.events.length,
      hash: eventHash(json),
    });
  }
}

/** Tells an event from an altered one. */
export function eventHash(json: string): string {
  return createHash('sha1').update(json).digest('hex').slice(0, 16);
}

function portWord(mw: number): 'free' | 'charging' | 'full' {
  if (mw === 0) return 'free';
  return mw > 1000 ? 'charging' : 'full';
}

function waterPart({ water }: Sensed): StationState['water'][number] {
  const { tankPct, hotC, coldC, filterPct } = water;
  return {
    sensor: 'water',
    hot: hotC >= 75 ? 'available' : 'unavailable',
    cold: 'available',
    tankPct,
    hotC,
    coldC,
    filterPct,
    fault: 0,
    leak: false,
  };
}
