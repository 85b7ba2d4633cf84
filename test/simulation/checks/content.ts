import type Database from 'better-sqlite3';
import { storeFile } from '../cloud/sim-cloud.ts';
import type { SimFleet } from '../fleet.ts';
import { type AcceptedEpoch, addSums } from '../station/accepted-log.ts';
import { epochMs, type SimStation } from '../station/sim-station.ts';
import { holds } from './violation.ts';

/** How far a station's time may be off: the uncertainty that it takes, and its tolerance. */
const clockToleranceMs = 5000;
const fields = { in: 'visits', out: 'leaves', ml: 'ml', mwh: 'mwh', presses: 'presses' } as const;

type StoredEvent = { epoch: string; seq: number; body: string };
type StoredGap = { epoch: string; first: number; last: number; body: string };
type Stored = {
  events: StoredEvent[];
  gaps: StoredGap[];
  poison: number;
  rollup: Record<(typeof fields)[keyof typeof fields], number>;
};

const sql = {
  events: `SELECT e.id AS epoch, v.seq, v.body FROM event v JOIN epoch e ON e.n = v.epoch JOIN station s ON s.n = e.station
           WHERE s.id = ? AND v.kind <> 'poison' ORDER BY e.n, v.seq`,
  gaps: `SELECT e.id AS epoch, g.from_seq AS first, g.to_seq AS last, g.body FROM gap g JOIN epoch e ON e.n = g.epoch
         JOIN station s ON s.n = e.station WHERE s.id = ?`,
  poison: 'SELECT count(*) FROM quarantine q JOIN station s ON s.n = q.station WHERE s.id = ?',
  rollup: `SELECT coalesce(sum(visits), 0) AS visits, coalesce(sum(leaves), 0) AS leaves, coalesce(sum(ml), 0) AS ml,
                  coalesce(sum(mwh), 0) AS mwh, coalesce(sum(presses), 0) AS presses
           FROM rollup r JOIN station s ON s.n = r.station WHERE s.id = ?`,
} as const;

/**
 * Everything in the store was accepted by an agent, byte for byte and at its time, and the hours add
 * up to it. Holds at every moment.
 */
export function checkContent(fleet: SimFleet): void {
  const { db } = fleet.cloud.disk.look(storeFile);
  for (const station of fleet.stations) {
    const stored = read(db, station.id);
    holds(stored.poison === 0, 'nothing is quarantined', () => `${station.id}: ${stored.poison} events`);
    const accepted = acceptedOf(fleet, station);
    for (const event of stored.events) checkEvent(fleet, station, accepted.get(event.epoch), event);
    checkHours(station, stored);
  }
}

/** Everything that was accepted is in the store or declared lost, once faults are over and all is drained. */
export function checkComplete(fleet: SimFleet): void {
  const { db } = fleet.cloud.disk.look(storeFile);
  for (const station of fleet.stations) {
    const stored = read(db, station.id);
    const keys = new Set(stored.events.map(({ epoch, seq }) => `${epoch}/${seq}`));
    const declared = (epoch: string, seq: number): boolean =>
      stored.gaps.some((gap) => gap.epoch === epoch && gap.first <= seq && seq <= gap.last);
    for (const [id, epoch] of acceptedOf(fleet, station)) {
      if (epoch.fileLost) continue;
      for (const [seq, { body }] of epoch.events)
        holds(
          keys.has(`${id}/${seq}`) || declared(id, seq),
          'accepted is stored or declared',
          () => `${station.id}: event ${seq} of ${id} (${body.kind}) is missing`,
        );
    }
    checkTruth(fleet, station, stored);
  }
}

function read(db: Database.Database, id: string): Stored {
  return {
    events: db.prepare<[string], StoredEvent>(sql.events).all(id),
    gaps: db.prepare<[string], StoredGap>(sql.gaps).all(id),
    poison: db.prepare<[string], number>(sql.poison).pluck().get(id) ?? 0,
    rollup: db.prepare<[string], Stored['rollup']>(sql.rollup).get(id) ?? {
      visits: 0,
      leaves: 0,
      ml: 0,
      mwh: 0,
      presses: 0,
    },
  };
}

function acceptedOf({ stations, clones }: SimFleet, { id }: SimStation): Map<string, AcceptedEpoch> {
  const owners = [...stations, ...clones].filter((one) => one.id === id);
  return new Map(owners.flatMap(({ accepted }) => [...accepted.epochs]));
}

function checkEvent(
  fleet: SimFleet,
  { id }: SimStation,
  epoch: AcceptedEpoch | undefined,
  { epoch: epochId, seq, body }: StoredEvent,
): void {
  const accepted = epoch?.events.get(seq);
  if (!accepted) {
    // A process that crashed between its commit and its word of it accepted a little more than we know.
    const unheard = epoch === undefined || (epoch.crashed && seq > epoch.last);
    return holds(unheard, 'no phantom', () => `${id}: event ${seq} of ${epochId} was never accepted: ${body}`);
  }
  holds(body.endsWith(accepted.bodyJson.slice(1)), 'no altered event', () => `${id}: ${body} was ${accepted.bodyJson}`);
  if (!fleet.cloudClockTold) return;
  const { at, atMin = at, atMax = at }: { at: number; atMin?: number; atMax?: number } = JSON.parse(body);
  const trulyAt = epochMs + accepted.atMs;
  holds(
    atMin - clockToleranceMs <= trulyAt && trulyAt <= atMax + clockToleranceMs,
    'times within their bounds',
    () => `${id}: event ${seq} of ${epochId} says ${atMin}…${atMax}, truly ${trulyAt} (off by ${at - trulyAt} ms)`,
  );
}

/** The hours are the sums of the events and of what receipts say was lost. */
function checkHours({ id }: SimStation, stored: Stored): void {
  const sums = storedSums(stored);
  for (const [field, column] of Object.entries(fields)) {
    let told = 0;
    for (const [key, amount] of sums) if (key.endsWith(` ${field}`)) told += amount;
    holds(
      told === stored.rollup[column],
      'hours add up',
      () => `${id}: ${field} of the events ${told}, of the hours ${stored.rollup[column]}`,
    );
  }
}

function storedSums({ events, gaps }: Stored): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { body } of events) addSums(sums, JSON.parse(body));
  for (const { body } of gaps) {
    const { lost = {} }: { lost?: Record<string, object> } = JSON.parse(body);
    for (const [sensor, amounts] of Object.entries(lost)) addSums(sums, { ...amounts, sensor });
  }
  return sums;
}

/** Nothing is counted that did not happen, and nothing is missing that a commit or a board could still tell. */
function checkTruth(fleet: SimFleet, station: SimStation, stored: Stored): void {
  const cloned = fleet.clones.some(({ id }) => id === station.id);
  const { accepted, board } = station;
  const sums = storedSums(stored);
  for (const [key, counted] of board.counted) {
    const told = sums.get(key) ?? 0;
    if (!cloned)
      holds(told <= counted, 'nothing is counted twice', () => `${station.id}: ${key} ${told} of ${counted}`);
    if (accepted.memoryLost || cloned) continue;
    const missing = counted - told;
    const untold = accepted.untold.get(key) ?? 0;
    holds(
      missing <= untold,
      'nothing counted is lost',
      () => `${station.id}: ${key} ${told} of ${counted}, ${untold} untold`,
    );
  }
}
