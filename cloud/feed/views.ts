import { type AvailabilityWord, iso, type PublicStatus } from '../core/availability.ts';
import type { Freshness } from '../core/freshness.ts';
import type { StationRecord } from '../core/station.ts';
import { digest } from './fixed-bodies.ts';
import type { StatusBoard } from './status-board.ts';

export const feedVersion = '1';
const statusTtlS = 10;
const staticTtlS = 3600;

/** `/v1/feed.json`: where everything is. Addresses are relative to this one's host. */
export function discovery(board: StatusBoard, licence: string): object {
  return {
    version: feedVersion,
    licence,
    languages: ['zh-CN', 'en'],
    stream: { url: '/v1/stream?region={adcode}', events: ['hello', 'patch', 'beat', 'reset'] },
    summary: { url: '/v1/summary.json', ttl: statusTtlS },
    history: { url: '/v1/stations/{id}/history?metric={metric}&from={from}&to={to}&step={step}' },
    regions: board
      .regions()
      .map((adcode) => ({
        adcode,
        feeds: {
          stations: { url: `/v1/regions/${adcode}/stations.json`, ttl: staticTtlS },
          status: { url: `/v1/regions/${adcode}/status.json`, ttl: statusTtlS },
        },
      })),
  };
}

/** `/v1/regions/{adcode}/stations.json`: what does not change by itself. */
export function stationsView(board: StatusBoard, region: string): object {
  const stations = board.records(region).map(publicRecord);
  return { version: feedVersion, region, revision: digest(JSON.stringify(stations)), ttl: staticTtlS, stations };
}

function publicRecord(record: StationRecord): object {
  const {
    id,
    name,
    aliases,
    region,
    lat,
    lng,
    address,
    hours,
    timeZone,
    facilities,
    steward,
    complaintLine,
    levels,
    kind,
    capacity,
    removedAt,
  } = record;
  return {
    id,
    name,
    aliases,
    region,
    kind,
    // WGS-84, to a tenth of a metre.
    position: { lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)) },
    address,
    opening_hours: hours,
    time_zone: timeZone,
    seats: capacity,
    facilities,
    steward,
    complaint_line: complaintLine,
    levels,
    removed_at: removedAt === null ? null : iso(removedAt),
  };
}

export type Counters = { total: number } & Record<AvailabilityWord, number> &
  Record<Freshness, number> & { lite: number; ports: number; ports_free: number };

/** `/v1/summary.json`: counters a region; those of the states add up to the total. */
export function summaryView(board: StatusBoard): object {
  const regions = board.regions().map((adcode) => {
    const snapshot = board.snapshot(adcode);
    return { adcode, ...count(board, snapshot?.stations ?? []) };
  });
  return { version: feedVersion, epoch: board.epoch, seq: board.seq, ttl: statusTtlS, regions };
}

function count(board: StatusBoard, stations: readonly PublicStatus[]): Counters {
  const counters: Counters = {
    total: stations.length,
    open: 0,
    full: 0,
    closed_hours: 0,
    closed_fault: 0,
    unknown: 0,
    removed: 0,
    live: 0,
    late: 0,
    stale: 0,
    offline: 0,
    lite: 0,
    ports: 0,
    ports_free: 0,
  };
  for (const { id, state, freshness, features } of stations) {
    counters[state] += 1;
    if (freshness) counters[freshness] += 1;
    if (board.station(id)?.kind === 'lite') counters.lite += 1;
    for (const feature of features) {
      if (feature.kind !== 'port') continue;
      counters.ports += feature.total ?? 0;
      // A free port behind a shut door is none.
      if (state === 'open' || state === 'full') counters.ports_free += feature.free ?? 0;
    }
  }
  return counters;
}
