import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { EventBody, StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';
import { station } from './rig.ts';

/** A look into the cloud's store beside the running process. */
function fromStore<T>(dataDir: string, read: (db: Database.Database) => T): T {
  const db = new Database(join(dataDir, 'cloud.db'), { readonly: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

export type StoredEvent = { order: number; seq: number; event: StationEvent };

/** Every stored event of the station, in the order of its epochs and sequences. */
export function storedEvents(dataDir: string, id = station): StoredEvent[] {
  const rows = fromStore(dataDir, (db) =>
    db
      .prepare<[string], { order: number; seq: number; body: string }>(
        `SELECT e.n AS "order", v.seq, v.body FROM event v JOIN epoch e ON e.n = v.epoch
         JOIN station s ON s.n = e.station WHERE s.id = ? ORDER BY e.n, v.seq`,
      )
      .all(id),
  );
  return rows.map(({ body, ...key }) => ({ ...key, event: JSON.parse(body) as StationEvent }));
}

type Sums = Record<'visits' | 'leaves' | 'doorOpens' | 'ml' | 'mwh' | 'presses', number>;

/** Sums of all hours of the station. */
export function rolledUp(dataDir: string, id = station): Sums {
  const sums = fromStore(dataDir, (db) =>
    db
      .prepare<[string], Sums>(
        `SELECT total(visits) AS visits, total(leaves) AS leaves, total(door_opens) AS doorOpens, total(ml) AS ml,
         total(mwh) AS mwh, total(presses) AS presses FROM rollup JOIN station s ON s.n = station WHERE s.id = ?`,
      )
      .get(id),
  );
  if (!sums) throw new Error('an aggregate has a row');
  return sums;
}

/** How many events the store has. */
export function countEvents(dataDir: string): number {
  return Number(fromStore(dataDir, (db) => db.prepare('SELECT count(*) FROM event').pluck().get()));
}

/** Time of the sensor's last event in the store, Unix ms; 0 before the first. */
export function lastAt(dataDir: string, sensor: string): number {
  const query = "SELECT coalesce(max(at), 0) FROM event WHERE body ->> '$.sensor' = ?";
  return Number(fromStore(dataDir, (db) => db.prepare(query).pluck().get(sensor)));
}

/** The station's last live state as the cloud saved it; undefined before the first. */
export function savedState(dataDir: string, id = station): StationState | undefined {
  const row = fromStore(dataDir, (db) =>
    db
      .prepare<[string], { state: string }>('SELECT state FROM live JOIN station s ON s.n = station WHERE s.id = ?')
      .get(id),
  );
  return row && (JSON.parse(row.state) as StationState);
}

/** What the agent's own outbox keeps, in the order in which it was said. */
export function ownEvents(agentDir: string): EventBody[] {
  const db = new Database(join(agentDir, 'outbox.db'), { readonly: true });
  try {
    const rows = db.prepare<[], { body: string }>('SELECT body FROM event ORDER BY epoch, seq').all();
    return rows.map(({ body }) => JSON.parse(body) as EventBody);
  } finally {
    db.close();
  }
}
