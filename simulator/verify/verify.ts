import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { eventSchema, gapEventSchema } from '../../protocol/events.ts';
import { type Clock, sleep } from '../../protocol/host/clock.ts';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import { eventHash } from '../fleet/station-log.ts';
import { ledgerStations, readLedger } from '../ledger/ledger.ts';
import {
  addVerdict,
  compareStation,
  emptyVerdict,
  isClean,
  type StoredEpoch,
  type StoredStation,
  type Tolerance,
  type Verdict,
} from './compare.ts';

const sql = {
  station: 'SELECT n FROM station WHERE id = ?',
  events: `SELECT e.id AS epoch, v.seq, v.body FROM event v JOIN epoch e ON e.n = v.epoch
           WHERE e.station = ? AND v.kind <> 'poison' ORDER BY e.n, v.seq`,
  gaps: 'SELECT e.id AS epoch, g.body FROM gap g JOIN epoch e ON e.n = g.epoch WHERE e.station = ? ORDER BY e.n, g.from_seq',
  epochs: 'SELECT id AS epoch, max(up_to, known_last) AS last FROM epoch WHERE station = ? ORDER BY n',
  poison: `SELECT e.id || '/' || v.seq AS key FROM event v JOIN epoch e ON e.n = v.epoch
           WHERE e.station = ? AND v.kind = 'poison'`,
  quarantined: 'SELECT count(*) AS n FROM quarantine WHERE station = ?',
  rollups: 'SELECT hour, visits AS "in", leaves AS out, ml, mwh, presses FROM rollup WHERE station = ?',
} as const;

export type VerifyOptions = {
  ledgerDir: string;
  /** The cloud's data directory. */
  dataDir: string;
  tolerance: Tolerance;
  /** How long the cloud may take to have everything, ms. */
  waitMs: number;
};

export type VerifyResult = { ok: boolean; stations: number; total: Verdict; byStation: Record<string, Verdict> };

/**
 * Holds the cloud's store against the ledgers of all simulated stations, again and again until it
 * is clean or the wait is over.
 *
 * @throws CommandError where there is no ledger or no store, or where they do not belong together
 */
export async function verify(options: VerifyOptions, clock: Clock): Promise<VerifyResult> {
  const endMs = clock.monotonicMs() + options.waitMs;
  for (;;) {
    const result = verifyOnce(options);
    if (result.ok || clock.monotonicMs() >= endMs) return result;
    await sleep(clock, 500);
  }
}

function verifyOnce({ ledgerDir, dataDir, tolerance }: VerifyOptions): VerifyResult {
  const path = join(dataDir, 'cloud.db');
  for (const needed of [ledgerDir, path]) {
    if (!existsSync(needed))
      throw new CommandError(
        `${needed}: expected the ${needed === path ? "cloud's store" : 'ledgers of a simulation'}, found nothing`,
        exitCodes.config,
      );
  }
  const stations = ledgerStations(ledgerDir);
  if (stations.length === 0)
    throw new CommandError(`${ledgerDir}: expected at least one ledger (*.jsonl), found none`, exitCodes.config);
  const db = new Database(path, { readonly: true });
  try {
    const total = emptyVerdict();
    const byStation: Record<string, Verdict> = {};
    for (const station of stations) {
      const verdict = compareStation(readLedger(ledgerDir, station), readStation(db, station), tolerance);
      byStation[station] = verdict;
      addVerdict(total, verdict);
    }
    return { ok: isClean(total), stations: stations.length, total, byStation };
  } finally {
    db.close();
  }
}

/** One snapshot: rows and sums of the same commit. */
function readStation(db: Database.Database, id: string): StoredStation {
  return db.transaction(() => {
    const n = db.prepare<[string], { n: number }>(sql.station).get(id)?.n;
    if (n === undefined)
      throw new CommandError(
        `${id}: has a ledger and is not in the cloud's register; is it the ledger of another cloud's simulation?`,
        exitCodes.config,
      );
    const events = db.prepare<[number], { epoch: string; seq: number; body: string }>(sql.events).all(n);
    const gaps = db.prepare<[number], { epoch: string; body: string }>(sql.gaps).all(n);
    return {
      epochs: db.prepare<[number], StoredEpoch>(sql.epochs).all(n),
      poison: db
        .prepare<[number], { key: string }>(sql.poison)
        .all(n)
        .map(({ key }) => key),
      events: events.map(({ epoch, seq, body }) => ({
        epoch,
        seq,
        hash: eventHash(body),
        event: eventSchema.parse(JSON.parse(body)),
      })),
      gaps: gaps.map(({ epoch, body }) => ({ epoch, gap: gapEventSchema.parse(JSON.parse(body)) })),
      quarantined: db.prepare<[number], { n: number }>(sql.quarantined).get(n)?.n ?? 0,
      rollups: db.prepare<[number], StoredStation['rollups'][number]>(sql.rollups).all(n),
    };
  })();
}
