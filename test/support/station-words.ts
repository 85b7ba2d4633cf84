import type { StationRecord } from '../../cloud/core/station.ts';
import type { PortState, StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';

/** An entry of the register: a smart station of Tunxi that is always open. */
export function recordOf(id: string, more: Partial<StationRecord> = {}): StationRecord {
  return {
    id,
    name: `${id}驿站`,
    aliases: [],
    region: '341002',
    lat: 29.714,
    lng: 118.316,
    address: null,
    hours: '24/7',
    timeZone: 'Asia/Shanghai',
    capacity: null,
    facilities: [],
    steward: null,
    complaintLine: null,
    levels: [],
    kind: 'smart',
    removedAt: null,
    ...more,
  };
}

/** The first epoch of most tests. */
export const epochA = 'a'.repeat(32);

/** What a station says of itself: nobody inside, nothing measured, the regular report. */
export function stateOf(more: Partial<StationState> & { inside?: number } = {}): StationState {
  const { inside = 0, ...rest } = more;
  return {
    v: 1,
    epoch: epochA,
    seq: 0,
    at: null,
    nonce: 'n1',
    clock: 'unset',
    reportIntervalS: 30,
    beat: true,
    door: { sensor: 'door', open: false, locked: null, alarm: null },
    people: { inside, basis: 'counted', present: inside > 0 },
    water: [],
    ports: [],
    sensors: { door: { health: 'ok' }, people: { health: 'ok' } },
    agent: {
      version: '0.1.0',
      uptimeS: 60,
      outboxRows: 0,
      oldestUnackedAt: null,
      diskFreePct: 80,
      bytesWrittenToday: 0,
    },
    ...rest,
  };
}

export function portsOf(...states: (PortState | 'unknown')[]): StationState['ports'] {
  return states.map((state, index) => ({ sensor: `port-${index + 1}`, state, mw: null }));
}

export function waterOf(more: Partial<StationState['water'][number]> = {}): StationState['water'] {
  const measured = { tankPct: 80, hotC: 91.5, coldC: null, filterPct: null, fault: 0, leak: false };
  return [{ sensor: 'water', hot: 'available', cold: 'unknown', ...measured, ...more }];
}

/** Events of a day, each at its own time. */
export const said = {
  door: (at: number, open: boolean): StationEvent => ({ kind: 'door', sensor: 'door', at, open }),
  people: (at: number, came: number, went: number, inside: number): StationEvent => ({
    kind: 'people',
    sensor: 'people',
    at,
    in: came,
    out: went,
    inside,
    basis: 'counted',
  }),
  port: (at: number, state: PortState, mwh = 0, sensor = 'port-1'): StationEvent => ({
    kind: 'port',
    sensor,
    at,
    state,
    mw: null,
    mwh,
  }),
  water: (at: number, ml: number): StationEvent => ({
    kind: 'water',
    sensor: 'water',
    at,
    ml,
    tankPct: 80,
    hotC: 90,
    coldC: null,
    fault: 0,
    filterPct: null,
  }),
};
