import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { stationInputSchema, toRecord } from '../../../cloud/register/input.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import { sequenceEvents } from '../../../protocol/codec.ts';
import type { StationEvent } from '../../../protocol/events.ts';
import { eventHash } from '../../../simulator/fleet/station-log.ts';
import { type LedgerEntry, LedgerWriter } from '../../../simulator/ledger/ledger.ts';
import { tempDir } from '../../support/temp-dir.ts';

const minuteMs = 60_000;
const startMs = Date.UTC(2026, 10, 23, 4, 50);
const at = (minute: number): number => startMs + minute * minuteMs;

export const older = 'a'.repeat(32);
export const newer = 'b'.repeat(32);
const fleetEpoch = 'c'.repeat(32);

const people = (minute: number, cameIn: number, out: number): StationEvent => ({
  kind: 'people',
  at: at(minute),
  sensor: 'people',
  in: cameIn,
  out,
  inside: 1,
  basis: 'counted',
});
const started = (minute: number): StationEvent => ({ kind: 'agent', at: at(minute), sensor: 'agent', what: 'started' });
const door = (minute: number): StationEvent => ({ kind: 'door', at: at(minute), sensor: 'door', open: true });
const water = (minute: number, ml: number): StationEvent => ({
  kind: 'water',
  at: at(minute),
  sensor: 'water',
  tankPct: 80,
  hotC: 90,
  coldC: 9,
  ml,
  fault: 0,
  filterPct: 90,
});

/** Two runs of an agent, across an hour's end; the second one had to give up three events. */
const byAgent: Record<string, StationEvent[]> = {
  [older]: [
    started(0),
    people(1, 1, 0),
    door(2),
    water(3, 250),
    { kind: 'port', at: at(4), sensor: 'port-1', state: 'charging', mw: 9000, mwh: 40 },
    people(5, 1, 0),
    people(6, 0, 1),
  ],
  [newer]: [
    started(20),
    { kind: 'gap', at: at(21), sensor: 'agent', from: 2, to: 4, reason: 'trimmed', lost: { people: { in: 2 } } },
    people(30, 1, 0),
    { kind: 'sos', at: at(31), sensor: 'button', presses: 1 },
  ],
};

const byFleet = [started(0), people(2, 1, 0), door(3), people(7, 0, 1), water(8, 300)];

const count = (
  minute: number,
  sensor: string,
  field: 'in' | 'out' | 'ml' | 'mwh' | 'presses',
  by: number,
): LedgerEntry => ({ kind: 'count', at: at(minute), sensor, field, by });

/** What a board's ledger says of it: counts alone. */
const boardTruth: LedgerEntry[] = [
  { kind: 'begin', at: startMs, seed: 1, speed: 1 },
  count(1, 'people', 'in', 1),
  count(3, 'water', 'ml', 250),
  count(4, 'port-1', 'mwh', 40),
  count(5, 'people', 'in', 1),
  count(6, 'people', 'out', 1),
  count(10, 'people', 'in', 1),
  count(11, 'people', 'in', 1),
  count(30, 'people', 'in', 1),
  count(31, 'button', 'presses', 1),
  count(40, 'people', 'in', 1),
  { kind: 'untold', at: at(41), sensor: 'people', field: 'in', by: 1 },
];

/** What a fleet's ledger says: every event by its key and bytes. */
const fleetTruth: LedgerEntry[] = byFleet.map((event, index) => ({
  kind: 'event',
  at: event.at,
  epoch: fleetEpoch,
  seq: index + 1,
  hash: eventHash(JSON.stringify(event)),
}));

export type StoredTruth = {
  dataDir: string;
  ledgerDir: string;
  /** Plants a defect with SQL. */
  plant: (...statements: string[]) => void;
};

/** A cloud's real store of two stations, `by-agent` and `by-fleet`, and the ledgers that it agrees with. */
export async function storeTruth(): Promise<StoredTruth> {
  const directory = tempDir();
  const dataDir = join(directory, 'cloud');
  const ledgerDir = join(directory, 'ledger');
  mkdirSync(dataDir);
  await using store = openSqliteStore(join(dataDir, 'cloud.db'));
  const ids = ['by-agent', 'by-fleet'];
  await store.addStations(
    ids.map((id) => ({
      record: toRecord(stationInputSchema.parse({ id, name: id, region: '341002', lat: 29.7, lng: 118.3 })),
      credential: { salt: '', hash: '' },
    })),
  );
  const batches = [
    ...Object.entries(byAgent).map(([epoch, events]) => ({ station: 'by-agent', epoch, events })),
    { station: 'by-fleet', epoch: fleetEpoch, events: byFleet },
  ];
  for (const { station, epoch, events } of batches) {
    await store.commit([{ kind: 'batch', station, epoch, events: sequenceEvents({ first: 1, events }) }], {
      nowMs: startMs,
      aheadWindow: 2000,
      maxQuarantinePerStation: 100,
    });
  }
  writeLedger(ledgerDir, 'by-agent', boardTruth);
  writeLedger(ledgerDir, 'by-fleet', fleetTruth);
  return {
    dataDir,
    ledgerDir,
    plant(...statements) {
      using db = openRaw(join(dataDir, 'cloud.db'));
      for (const statement of statements) if (db.db.prepare(statement).run().changes === 0) throw new Error(statement);
    },
  };
}

export function writeLedger(directory: string, station: string, entries: readonly LedgerEntry[]): void {
  const writer = new LedgerWriter(directory, station);
  for (const entry of entries) writer.add(entry);
  writer.flush();
}

function openRaw(path: string): Disposable & { db: Database.Database } {
  const db = new Database(path);
  return { db, [Symbol.dispose]: () => void db.close() };
}
