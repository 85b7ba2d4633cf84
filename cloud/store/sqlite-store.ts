import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { makeDurable, StoreError } from '../../protocol/host/sqlite.ts';
import { Statements } from '../../protocol/host/statements.ts';
import { stateSchema } from '../../protocol/state.ts';
import type { Standing } from '../core/rollup.ts';
import type { StationRecord } from '../core/station.ts';
import { LaneGroup } from './lane.ts';
import { migrate } from './schema.ts';
import type {
  Alarm,
  Command,
  Credential,
  History,
  LaneItem,
  LaneOptions,
  LaneResult,
  NewStation,
  RollupRow,
  SavedLive,
  Store,
  StoreCounts,
} from './store.ts';

const sql = {
  stations: 'SELECT record, removed_ms FROM station ORDER BY id',
  known: 'SELECT 1 FROM station WHERE id = ? AND removed_ms IS NULL',
  // A removed station may be added again: it gets a new credential and keeps its history.
  addStation: `INSERT INTO station (id, record, salt, hash) VALUES (?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET record = excluded.record, removed_ms = NULL, salt = excluded.salt, hash = excluded.hash`,
  updateStation: 'UPDATE station SET record = ?, salt = coalesce(?, salt), hash = coalesce(?, hash) WHERE id = ?',
  removeStation: 'UPDATE station SET removed_ms = ?, salt = NULL, hash = NULL WHERE id = ? AND removed_ms IS NULL',
  credential: 'SELECT salt, hash FROM station WHERE id = ? AND removed_ms IS NULL AND hash IS NOT NULL',
  saveLive: `INSERT INTO live (station, epoch_order, reported_ms, beat_ms, changed_ms, used_ms, used_before_ms, online, approved, heard_ms, state)
             SELECT n, @epochOrder, @reportedAt, @beatAt, @changedAt, @usedAt, @usedBefore, @online, @approved, @heardAt, @state FROM station WHERE id = @station
             ON CONFLICT (station) DO UPDATE SET epoch_order = excluded.epoch_order, reported_ms = excluded.reported_ms, beat_ms = excluded.beat_ms,
               changed_ms = excluded.changed_ms, used_ms = excluded.used_ms, used_before_ms = excluded.used_before_ms, online = excluded.online,
               approved = excluded.approved, heard_ms = excluded.heard_ms, state = excluded.state`,
  knownLast: 'UPDATE epoch SET known_last = $seq WHERE n = $epoch AND known_last < $seq',
  live: `SELECT s.id AS station, epoch_order, reported_ms, beat_ms, changed_ms, used_ms, used_before_ms, online, approved, heard_ms, state
         FROM live l JOIN station s ON s.n = l.station`,
  rollups: `SELECT r.hour, visits, leaves, door_opens AS doorOpens, ml, mwh, presses, inside_ms AS insideMs, people_ms AS peopleMs,
                   inside_peak AS insidePeak, charging_ms AS chargingMs, port_ms AS portMs, water_ms AS waterMs
            FROM rollup r JOIN station s ON s.n = r.station WHERE s.id = ? AND r.hour >= ? AND r.hour < ? ORDER BY r.hour`,
  standing: `SELECT kind, at, value FROM standing
             WHERE epoch = (SELECT max(e.n) FROM epoch e JOIN station s ON s.n = e.station WHERE s.id = ?)`,
  counts: `SELECT (SELECT count(*) FROM station WHERE removed_ms IS NULL) AS stations,
                  (SELECT total(up_to) FROM epoch) AS events,
                  (SELECT total(to_seq - from_seq + 1) FROM gap) AS gaps,
                  (SELECT count(*) FROM quarantine) AS quarantined`,
  raise: `INSERT INTO alarm (station, kind, since_ms, detail) SELECT n, @kind, @sinceMs, @detail FROM station WHERE id = @station
          ON CONFLICT (station, kind) DO UPDATE SET since_ms = excluded.since_ms, detail = excluded.detail`,
  alarms:
    'SELECT s.id AS station, a.kind, a.since_ms AS sinceMs, a.detail FROM alarm a JOIN station s ON s.n = a.station ORDER BY a.since_ms DESC LIMIT 1000',
  addCommand:
    'INSERT INTO command (id, station, name, args, expires_ms) SELECT ?, n, ?, ?, ? FROM station WHERE id = ? AND removed_ms IS NULL',
  openCommands:
    'SELECT c.id, s.id AS station, c.name, c.args, c.expires_ms AS expires FROM command c JOIN station s ON s.n = c.station WHERE c.reply IS NULL AND c.expires_ms > ?',
  answer:
    'UPDATE command SET reply = ? WHERE id = ? AND reply IS NULL AND station = (SELECT n FROM station WHERE id = ?)',
  reply: 'SELECT reply FROM command WHERE id = ?',
} as const;

/** A server's log and cache: 64 MiB of pages stay in memory. */
const durability = { walPages: 8000, cacheKiB: 64 * 1024 };

type LiveRow = {
  station: string;
  epoch_order: number;
  reported_ms: number;
  beat_ms: number;
  changed_ms: number;
  used_ms: number | null;
  used_before_ms: number | null;
  online: number;
  approved: string | null;
  heard_ms: number;
  state: string;
};

/**
 * Opens the store's file, or makes it.
 *
 * @param openFile the disk under it
 * @throws StoreError where it cannot be opened, is corrupt, or newer than this program
 */
export function openSqliteStore(path: string, openFile: (path: string) => Database.Database = openDatabase): Store {
  try {
    const db = makeDurable(openFile(path), durability);
    migrate(db);
    return new SqliteStore(db);
  } catch (error) {
    throw error instanceof StoreError
      ? error
      : new StoreError(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function openDatabase(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true });
  return new Database(path);
}

class SqliteStore implements Store {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  async commit(items: readonly LaneItem[], options: LaneOptions): Promise<LaneResult[]> {
    return this.#transaction(() => {
      const group = new LaneGroup((text) => this.#statements.prepare(text), options);
      const results = items.map((item) => group.take(item));
      group.finish();
      return results;
    });
  }

  async saveLive(records: readonly SavedLive[]): Promise<void> {
    this.#transaction(() => {
      for (const { state, use, online, approvedInstance, instanceHeardAt, ...times } of records) {
        this.#statements.run(sql.saveLive, {
          ...times,
          usedAt: use.at,
          usedBefore: use.beforeSlotAt,
          online: online ? 1 : 0,
          approved: approvedInstance,
          heardAt: instanceHeardAt,
          state: JSON.stringify(state),
        });
        this.#statements.run(sql.knownLast, { seq: state.seq, epoch: times.epochOrder });
      }
    });
  }

  async live(): Promise<SavedLive[]> {
    return this.#statements.all<LiveRow>(sql.live).flatMap((row) => {
      // Written by an older version, it may be none any more: then it is told again in a moment.
      const state = stateSchema.safeParse(JSON.parse(row.state));
      if (!state.success) return [];
      return {
        station: row.station,
        state: state.data,
        epochOrder: row.epoch_order,
        reportedAt: row.reported_ms,
        beatAt: row.beat_ms,
        changedAt: row.changed_ms,
        use: { at: row.used_ms, beforeSlotAt: row.used_before_ms },
        online: row.online === 1,
        approvedInstance: row.approved,
        instanceHeardAt: row.heard_ms,
      };
    });
  }

  async stations(): Promise<StationRecord[]> {
    return this.#statements
      .all<{ record: string; removed_ms: number | null }>(sql.stations)
      .map(({ record, removed_ms }) => ({ ...JSON.parse(record), removedAt: removed_ms }));
  }

  async addStations(stations: readonly NewStation[]): Promise<string[]> {
    return this.#transaction(() => {
      const taken = stations
        .map(({ record }) => record.id)
        .filter((id) => this.#statements.get(sql.known, id) !== undefined);
      if (taken.length > 0) return taken;
      for (const { record, credential } of stations) {
        this.#statements.run(
          sql.addStation,
          record.id,
          JSON.stringify(record),
          credential?.salt ?? null,
          credential?.hash ?? null,
        );
      }
      return [];
    });
  }

  async updateStation(record: StationRecord, credential: Credential | null = null): Promise<void> {
    const { salt, hash } = credential ?? { salt: null, hash: null };
    this.#statements.run(sql.updateStation, JSON.stringify(record), salt, hash, record.id);
  }

  async removeStation(id: string, atMs: number): Promise<boolean> {
    return this.#statements.run(sql.removeStation, atMs, id).changes === 1;
  }

  async credential(station: string): Promise<Credential | null> {
    return this.#statements.get<Credential>(sql.credential, station) ?? null;
  }

  async history(station: string, fromMs: number, toMs: number): Promise<History> {
    return {
      rows: this.#statements.all<RollupRow>(sql.rollups, station, fromMs, toMs),
      standing: this.#statements.all<Standing>(sql.standing, station),
    };
  }

  async counts(): Promise<StoreCounts> {
    const counts = this.#statements.get<Omit<StoreCounts, 'bytes'>>(sql.counts);
    const bytes =
      Number(this.#db.pragma('page_count', { simple: true })) * Number(this.#db.pragma('page_size', { simple: true }));
    return { stations: 0, events: 0, gaps: 0, quarantined: 0, ...counts, bytes };
  }

  async raiseAlarm(alarm: Alarm): Promise<void> {
    this.#statements.run(sql.raise, alarm);
  }

  async alarms(): Promise<Alarm[]> {
    return this.#statements.all<Alarm>(sql.alarms);
  }

  async addCommand({ id, station, name, args, expires }: Command): Promise<void> {
    const { changes } = this.#statements.run(sql.addCommand, id, name, JSON.stringify(args), expires, station);
    if (changes === 0) throw new StoreError(`no station ${station}`);
  }

  async openCommands(nowMs: number): Promise<Command[]> {
    return this.#statements
      .all<Omit<Command, 'args'> & { args: string }>(sql.openCommands, nowMs)
      .map((row) => ({ ...row, args: JSON.parse(row.args) }));
  }

  async answerCommand(station: string, id: string, reply: string): Promise<boolean> {
    return this.#statements.run(sql.answer, reply, id, station).changes === 1;
  }

  async commandReply(id: string): Promise<string | null> {
    return this.#statements.get<{ reply: string | null }>(sql.reply, id)?.reply ?? null;
  }

  async changeMark(): Promise<number> {
    return Number(this.#db.pragma('data_version', { simple: true }));
  }

  async close(): Promise<void> {
    if (this.#db.open) this.#db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #transaction<T>(work: () => T): T {
    return this.#statements.guard(() => this.#db.transaction(work).immediate());
  }
}
