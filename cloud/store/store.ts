import type { SequencedEvent } from '../../protocol/codec.ts';
import type { HelloEpoch } from '../../protocol/messages.ts';
import type { LiveRecord } from '../core/live.ts';
import type { HourSums, Standing } from '../core/rollup.ts';
import type { StationRecord } from '../core/station.ts';

/** A credential as it is stored: never the password itself. */
export type Credential = { salt: string; hash: string };

/** One thing that a station said on the durable lane, in the order of its arrival. */
export type LaneItem =
  | { kind: 'hello'; station: string; instance: string; epochs: readonly HelloEpoch[] }
  | { kind: 'batch'; station: string; epoch: string; events: readonly SequencedEvent[] }
  /** A state of an epoch that no hello told about: it gets its order now. */
  | { kind: 'epoch-seen'; station: string; epoch: string };

export type EpochStanding = { id: string; order: number; instance: string | null; upTo: number };

/** An epoch of a log that is gone: so many of its events were known of and never came. */
export type LostTail = { epoch: string; missing: number };

/** What became of an item once its group is committed. */
export type LaneResult =
  /** `tails`: where the instance is new to the station, what the logs before it kept for ever. */
  | { kind: 'hello'; epochs: EpochStanding[]; tails: LostTail[]; ackedAhead: boolean }
  | {
      kind: 'batch';
      upTo: number;
      stored: number;
      duplicates: number;
      poison: number;
      conflicts: number;
      tooFarAhead: number;
      usedAt: number | null;
    }
  | { kind: 'epoch-seen'; order: number; instance: string | null }
  /** The station is not in the register, or no longer. */
  | { kind: 'unknown-station' };

export type LaneOptions = { nowMs: number; aheadWindow: number; maxQuarantinePerStation: number };

/** A live record as it outlives a restart. */
export type SavedLive = LiveRecord & { station: string; approvedInstance: string | null; instanceHeardAt: number };

export type RollupRow = HourSums & { hour: number };
/** What stands in a station's newest epoch, for the hours that no event closed yet. */
export type History = { rows: RollupRow[]; standing: Standing[] };

export type NewStation = { record: StationRecord; credential: Credential | null };

export type Command = { id: string; station: string; name: string; args: Record<string, unknown>; expires: number };

export type StoreCounts = { stations: number; events: number; gaps: number; quarantined: number; bytes: number };

export type Alarm = { station: string; kind: string; sinceMs: number; detail: string };

/**
 * The cloud's durable memory. A group of the durable lane is one transaction: whatever its promise
 * resolves to has survived a power cut, and only then may it be acknowledged (protocol README §3,
 * rule 5). Asynchronous, so that a database behind a network serves as well.
 */
export interface Store extends AsyncDisposable {
  commit(items: readonly LaneItem[], options: LaneOptions): Promise<LaneResult[]>;
  /** Also notes how far each state's epoch is known to reach. */
  saveLive(records: readonly SavedLive[]): Promise<void>;
  live(): Promise<SavedLive[]>;

  stations(): Promise<StationRecord[]>;
  /** @returns ids that the register has already; then nothing is added */
  addStations(stations: readonly NewStation[]): Promise<string[]>;
  /** Changes the entry of a known station; its credential stays, unless it gets another one. */
  updateStation(record: StationRecord, credential?: Credential | null): Promise<void>;
  /** Marks it removed and takes its credential away. @returns false where there is none to remove */
  removeStation(id: string, atMs: number): Promise<boolean>;
  /** Null for an unknown or removed station, and for one without sensors. */
  credential(station: string): Promise<Credential | null>;

  history(station: string, fromMs: number, toMs: number): Promise<History>;
  counts(): Promise<StoreCounts>;

  raiseAlarm(alarm: Alarm): Promise<void>;
  alarms(): Promise<Alarm[]>;

  addCommand(command: Command): Promise<void>;
  /** Commands that were not answered and have not expired. */
  openCommands(nowMs: number): Promise<Command[]>;
  answerCommand(station: string, id: string, reply: string): Promise<boolean>;
  commandReply(id: string): Promise<string | null>;

  /** Differs from the last time where another process changed the store. */
  changeMark(): Promise<number>;
  close(): Promise<void>;
}
