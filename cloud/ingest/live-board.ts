import { offlineAfterMs } from '../core/freshness.ts';
import { type InstanceVerdict, judgeInstance } from '../core/instance.ts';
import { type LiveRecord, neverUsed, noteUse, type StateArrival, shiftRecord, takeState } from '../core/live.ts';
import type { SavedLive, Store } from '../store/store.ts';

type Entry = {
  record: LiveRecord | null;
  /** Stamped by this process, whose clock may yet be set right. */
  isOurs: boolean;
  /** The instance whose state the record is. */
  toldBy: string | null;
  approvedInstance: string | null;
  instanceHeardAt: number;
  usedAt: number | null;
};

/** Below the order of any epoch. */
const beforeAll = 0;

/** What `liveRecord` readers are told: the station whose live record is another one now. */
export type LiveListener = (station: string) => void;

/**
 * The live lane: the newest state of every station. Kept in memory for the feed and saved with a
 * short delay, so that a restart shows what was known, aged honestly.
 */
export class LiveBoard {
  readonly #entries = new Map<string, Entry>();
  readonly #unsaved = new Set<string>();
  #listener: LiveListener = () => {};

  /** Reads what an earlier process knew. What it knew of a time that is still to come is of no known age: offline. */
  async load(store: Store, nowMs: number): Promise<void> {
    for (const { station, approvedInstance, instanceHeardAt, ...saved } of await store.live()) {
      const aheadMs = saved.reportedAt - nowMs;
      this.#entries.set(station, {
        record: aheadMs > 0 ? shiftRecord(saved, -aheadMs - offlineAfterMs - 1) : saved,
        isOurs: false,
        toldBy: approvedInstance,
        approvedInstance,
        instanceHeardAt: Math.min(instanceHeardAt, nowMs),
        usedAt: null,
      });
    }
  }

  listen(listener: LiveListener): void {
    this.#listener = listener;
  }

  get(station: string): LiveRecord | null {
    return this.#entries.get(station)?.record ?? null;
  }

  /** Takes a state, unless it is an older one or comes from a board that is not the station's. */
  takeState(station: string, arrival: StateArrival, instance: string | null): InstanceVerdict {
    const entry = this.#entry(station);
    const { record, approvedInstance } = entry;
    const { state, retained, arrivedAt } = arrival;
    // The lease is the approved board's own: another one cannot shorten it by reporting often.
    const leaseMs = 2000 * (record ?? arrival).state.reportIntervalS;
    // An epoch that began within a connection belongs to the board of the connection.
    const speaker = instance ?? (record?.state.nonce === state.nonce ? approvedInstance : null);
    const verdict = judgeInstance(
      { instance: approvedInstance, heardMs: entry.instanceHeardAt },
      speaker,
      arrivedAt,
      leaseMs,
    );
    if (!verdict.drives) return verdict;
    if (!retained) {
      entry.approvedInstance = verdict.approval.instance;
      entry.instanceHeardAt = verdict.approval.heardMs;
    }
    // Epochs of two boards have no order between them: the one that drives now goes first.
    const handedOver = record !== null && !retained && entry.toldBy !== speaker;
    const next = takeState(handedOver ? { ...record, epochOrder: beforeAll } : record, arrival);
    if (next !== record) {
      entry.toldBy = speaker;
      entry.isOurs = true;
    }
    this.#replace(station, entry, next);
    return verdict;
  }

  /** The broker's hint; one of another connection than the standing state's says nothing. */
  takePresence(station: string, online: boolean, nonce: string): void {
    const entry = this.#entries.get(station);
    if (entry?.record?.state.nonce !== nonce || entry.record.online === online) return;
    this.#replace(station, entry, { ...entry.record, online });
  }

  noteUse(station: string, at: number): void {
    const entry = this.#entry(station);
    if (entry.record) this.#replace(station, entry, { ...entry.record, use: noteUse(entry.record.use, at) });
    else entry.usedAt = Math.max(at, entry.usedAt ?? 0);
  }

  /** The cloud's clock was set by so much: what this process stamped moves along. */
  shift(byMs: number): void {
    for (const [station, entry] of this.#entries) {
      if (!entry.isOurs) continue;
      entry.instanceHeardAt += byMs;
      if (entry.usedAt !== null) entry.usedAt += byMs;
      if (entry.record === null) continue;
      entry.record = shiftRecord(entry.record, byMs);
      this.#unsaved.add(station);
    }
  }

  /** A public value changed: the feed alone knows which values are public. */
  notePublicChange(station: string, at: number): void {
    const record = this.#entries.get(station)?.record;
    if (!record) return;
    record.changedAt = at;
    this.#unsaved.add(station);
  }

  async save(store: Store): Promise<void> {
    const stations = [...this.#unsaved];
    const records: SavedLive[] = [];
    for (const station of stations) {
      const entry = this.#entries.get(station);
      if (!entry?.record) continue;
      records.push({
        station,
        ...entry.record,
        approvedInstance: entry.approvedInstance,
        instanceHeardAt: entry.instanceHeardAt,
      });
    }
    this.#unsaved.clear();
    if (records.length === 0) return;
    try {
      await store.saveLive(records);
    } catch (error) {
      for (const station of stations) this.#unsaved.add(station);
      throw error;
    }
  }

  #replace(station: string, entry: Entry, record: LiveRecord | null): void {
    if (record === entry.record || record === null) return;
    const use = entry.usedAt === null ? record.use : noteUse(record.use ?? neverUsed, entry.usedAt);
    entry.record = entry.usedAt === null ? record : { ...record, use };
    entry.usedAt = null;
    this.#unsaved.add(station);
    this.#listener(station);
  }

  #entry(station: string): Entry {
    const known = this.#entries.get(station);
    if (known) return known;
    const fresh: Entry = {
      record: null,
      isOurs: true,
      toldBy: null,
      approvedInstance: null,
      instanceHeardAt: 0,
      usedAt: null,
    };
    this.#entries.set(station, fresh);
    return fresh;
  }
}
