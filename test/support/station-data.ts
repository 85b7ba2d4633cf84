import type { PublicStatus } from '../../cloud/core/availability.ts';
import type { LiveRecord } from '../../cloud/core/live.ts';
import type { StationRecord } from '../../cloud/core/station.ts';
import type { GapEvent, StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';

/** Builders of what stations say and are, with defaults for all that a test does not care about. */

export const hourMs = 3_600_000;
/** Monday, 2026-11-23, 10:00 in Shanghai. */
export const mondayTen = Date.UTC(2026, 10, 23, 2);

/** `a…a`: ids of 32 hex digits that are easy to read. */
export const id32 = (digit: string): string => digit.repeat(32);

type At = { at?: number; sensor?: string };

export const people = (
  given: At & { in?: number; out?: number; inside?: number } = {},
): StationEvent & { kind: 'people' } => ({
  kind: 'people',
  at: mondayTen,
  sensor: 'people',
  in: 0,
  out: 0,
  inside: 0,
  basis: 'counted',
  ...given,
});
export const door = (open: boolean, given: At = {}): StationEvent => ({
  kind: 'door',
  at: mondayTen,
  sensor: 'door',
  open,
  ...given,
});
export const water = (ml: number, given: At = {}): StationEvent => ({
  kind: 'water',
  at: mondayTen,
  sensor: 'water',
  tankPct: 80,
  hotC: 90,
  coldC: 9,
  ml,
  fault: 0,
  filterPct: 90,
  ...given,
});
export const port = (
  given: At & { state?: 'free' | 'charging' | 'full' | 'fault'; mwh?: number } = {},
): StationEvent => ({ kind: 'port', at: mondayTen, sensor: 'port-1', state: 'free', mw: 0, mwh: 0, ...given });
export const sos = (presses: number, given: At = {}): StationEvent => ({
  kind: 'sos',
  at: mondayTen,
  sensor: 'button',
  presses,
  ...given,
});
export const health = (sensor: string, word: 'ok' | 'silent' | 'noisy' | 'fault', at = mondayTen): StationEvent => ({
  kind: 'sensor',
  at,
  sensor,
  health: word,
  reason: 'test',
});
export const agent = (what: 'started' | 'stopped' | 'clock-set', at = mondayTen): StationEvent => ({
  kind: 'agent',
  at,
  sensor: 'agent',
  what,
});
export const gap = (from: number, to: number, given: Partial<GapEvent> = {}): GapEvent => ({
  kind: 'gap',
  at: mondayTen,
  sensor: 'agent',
  from,
  to,
  reason: 'trimmed',
  ...given,
});

/** A station where all is well: shut unlocked door, nobody inside, hot water, two free ports. */
export function stationState(given: Partial<StationState> = {}): StationState {
  return {
    v: 1,
    epoch: id32('a'),
    seq: 1,
    at: mondayTen,
    nonce: 'nonce-1',
    clock: 'set',
    reportIntervalS: 30,
    door: { sensor: 'door', open: false, locked: false, alarm: null },
    people: { inside: 0, basis: 'counted', present: null },
    water: [waterPart()],
    ports: [portPart('port-1'), portPart('port-2')],
    sensors: { door: { health: 'ok' }, people: { health: 'ok' } },
    agent: {
      version: '0.1.0',
      uptimeS: 60,
      outboxRows: 0,
      oldestUnackedAt: null,
      diskFreePct: 80,
      bytesWrittenToday: 0,
    },
    ...given,
  };
}

export const waterPart = (given: Partial<StationState['water'][number]> = {}): StationState['water'][number] => ({
  sensor: 'water',
  hot: 'available',
  cold: 'unknown',
  tankPct: 80,
  hotC: 91.5,
  coldC: null,
  filterPct: 90,
  fault: 0,
  leak: false,
  ...given,
});

export const portPart = (
  sensor: string,
  state: StationState['ports'][number]['state'] = 'free',
): StationState['ports'][number] => ({ sensor, state, mw: null });

export const inside = (count: number): { people: StationState['people'] } => ({
  people: { inside: count, basis: 'counted', present: null },
});

export function stationRecord(given: Partial<StationRecord> = {}): StationRecord {
  return {
    id: 'tunxi-laojie',
    name: '老街驿站',
    aliases: [],
    region: '341002',
    lat: 29.714,
    lng: 118.316,
    address: null,
    hours: '24/7',
    timeZone: 'Asia/Shanghai',
    capacity: 6,
    facilities: [],
    steward: null,
    complaintLine: null,
    levels: [],
    kind: 'smart',
    removedAt: null,
    ...given,
  };
}

export function liveRecord(given: Partial<LiveRecord> = {}): LiveRecord {
  return {
    state: stationState(),
    epochOrder: 1,
    reportedAt: mondayTen,
    beatAt: mondayTen,
    changedAt: mondayTen,
    use: { at: null, beforeSlotAt: null },
    online: true,
    ...given,
  };
}

export const featureOf = (
  status: PublicStatus,
  kind: PublicStatus['features'][number]['kind'],
): PublicStatus['features'][number] | undefined => status.features.find((feature) => feature.kind === kind);
