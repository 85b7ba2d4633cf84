import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';
import { type Evaluation, evaluate, iso, isPublicChange, type PublicStatus } from '../core/availability.ts';
import { type DayOf, dayIn, type HoursRule, parseHours } from '../core/hours.ts';
import { regionChain } from '../core/regions.ts';
import type { StationRecord } from '../core/station.ts';
import type { LiveBoard } from '../ingest/live-board.ts';
import { DueSet } from './due-set.ts';

export type StatusBoardIo = {
  clock: Clock;
  live: LiveBoard;
  /** Steps are not closer together than this, and what time alone changes is seen so late, ms. */
  coalesceMs: number;
  /** Random for this process: sequences of another one mean nothing here. */
  epoch: string;
};

type Row = { record: StationRecord; hours: HoursRule; status: PublicStatus; seq: number };

/** `leftSeq`: the last step at which a station left it, or the one at which it came to be. */
type Region = { ids: Set<string>; seq: number; leftSeq: number };

/** All stations of one region as they stood at `seq`. */
export type RegionSnapshot = { region: string; seq: number; evaluatedAt: string; stations: readonly PublicStatus[] };

/**
 * The stations that one step changed, for whoever follows them, and the regions that a station left:
 * no list of changes can take it out of a table.
 */
export type Patch = { seq: number; evaluatedAt: string; stations: readonly PublicStatus[]; left: ReadonlySet<string> };
export type PatchListener = (patch: Patch) => void;

/**
 * The public side of every station, evaluated when something came and when time alone changes it.
 * Each flush that changed anything is one step of `seq`; a station carries the step of its last
 * change, so that any earlier step of the same epoch can be resumed from exactly.
 */
export class StatusBoard {
  readonly #io: StatusBoardIo;
  readonly #rows = new Map<string, Row>();
  readonly #regions = new Map<string, Region>();
  readonly #rules = new Map<string, HoursRule>();
  readonly #dayOf = new Map<string, DayOf>();
  readonly #dirty = new Set<string>();
  readonly #due = new DueSet();
  readonly #listeners = new Set<PatchListener>();
  readonly #stopTicking: Cancel;
  #registerRevision = 0;
  #seq = 0;
  #evaluatedAt: string;
  /** Of the last step. */
  #flushedMs = Number.NEGATIVE_INFINITY;
  #cancelFlush: Cancel | null = null;

  constructor(io: StatusBoardIo) {
    this.#io = io;
    this.#evaluatedAt = iso(io.clock.wallMs());
    io.live.listen((station) => this.#touch(station));
    this.#stopTicking = every(io.clock, io.coalesceMs, () => this.#tick());
  }

  get epoch(): string {
    return this.#io.epoch;
  }

  get seq(): number {
    return this.#seq;
  }

  /** Counts the changes of the register in this process. */
  get registerRevision(): number {
    return this.#registerRevision;
  }

  /**
   * Takes the register as it is now. A station never disappears: a removed one is told as such. What
   * changed is a step at once, so that lists and their ETags never differ.
   */
  setRegister(records: readonly StationRecord[]): void {
    const left = new Set<string>();
    let isChanged = false;
    for (const record of records) {
      const known = this.#rows.get(record.id);
      if (known && JSON.stringify(known.record) === JSON.stringify(record)) continue;
      isChanged = true;
      if (known && known.record.region !== record.region)
        for (const region of this.#move(known.record, record)) left.add(region);
      const hours = this.#rule(record);
      const { status } = this.#evaluate(record, hours);
      this.#rows.set(record.id, { record, hours, status, seq: neverTold });
      this.#enterRegions(record);
      this.#dirty.add(record.id);
    }
    if (!isChanged) return;
    this.#registerRevision += 1;
    this.#flush(left);
  }

  /** The clock jumped: what is due when is to be found anew. */
  evaluateAll(): void {
    for (const id of this.#rows.keys()) this.#touch(id);
  }

  /** Every region that has a station, districts and what they lie in. */
  regions(): string[] {
    return [...this.#regions.keys()].sort();
  }

  /** Step of the region's last change; null for a region without stations. */
  regionSeq(region: string): number | null {
    return this.#regions.get(region)?.seq ?? null;
  }

  station(id: string): StationRecord | null {
    return this.#rows.get(id)?.record ?? null;
  }

  records(region: string): StationRecord[] {
    return this.#rowsOf(region).map((row) => row.record);
  }

  snapshot(region: string): RegionSnapshot | null {
    const seq = this.regionSeq(region);
    if (seq === null) return null;
    return { region, seq, evaluatedAt: this.#evaluatedAt, stations: this.#rowsOf(region).map((row) => row.status) };
  }

  /** What changed in the region after step `seq` of this epoch; null where a station left it since. */
  since(region: string, seq: number): Patch | null {
    if (seq < (this.#regions.get(region)?.leftSeq ?? 0)) return null;
    const changed = this.#rowsOf(region).filter((row) => row.seq > seq);
    return {
      seq: this.#seq,
      evaluatedAt: this.#evaluatedAt,
      stations: changed.map((row) => row.status),
      left: nowhere,
    };
  }

  listen(listener: PatchListener): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stopTicking();
    this.#cancelFlush?.();
  }

  #tick(): void {
    for (const id of this.#due.take(this.#io.clock.wallMs())) this.#touch(id);
  }

  /** The first change goes at once, what follows within `coalesceMs` goes together. */
  #touch(id: string): void {
    this.#dirty.add(id);
    if (this.#cancelFlush) return;
    const waitMs = Math.max(0, this.#flushedMs + this.#io.coalesceMs - this.#io.clock.monotonicMs());
    this.#cancelFlush = this.#io.clock.after(waitMs, () => this.#flush());
  }

  #flush(left = nowhere): void {
    this.#cancelFlush?.();
    this.#cancelFlush = null;
    const ids = [...this.#dirty];
    this.#dirty.clear();
    const seq = this.#seq + 1;
    const changed: PublicStatus[] = [];
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (!row || !this.#reevaluate(row)) continue;
      row.seq = seq;
      changed.push(row.status);
      for (const region of regionChain(row.record.region)) {
        const known = this.#regions.get(region);
        if (known) known.seq = seq;
      }
    }
    // A look that found nothing delays nothing: the public would see its shadow in the next step.
    if (changed.length === 0) return;
    this.#flushedMs = this.#io.clock.monotonicMs();
    for (const region of left) {
      const known = this.#regions.get(region);
      if (known) Object.assign(known, { seq, leftSeq: seq });
    }
    this.#seq = seq;
    this.#evaluatedAt = iso(this.#io.clock.wallMs());
    for (const listener of this.#listeners) listener({ seq, evaluatedAt: this.#evaluatedAt, stations: changed, left });
  }

  /** @returns whether the public sees anything new */
  #reevaluate(row: Row): boolean {
    const { id } = row.record;
    let next = this.#evaluate(row.record, row.hours);
    if (row.seq !== neverTold && isPublicChange(row.status, next.status)) {
      this.#io.live.notePublicChange(id, this.#io.clock.wallMs());
      next = this.#evaluate(row.record, row.hours);
    }
    this.#due.set(id, next.changesAt);
    const same = row.seq !== neverTold && JSON.stringify(row.status) === JSON.stringify(next.status);
    row.status = next.status;
    return !same;
  }

  #rule({ hours, timeZone }: StationRecord): HoursRule {
    const key = `${timeZone} ${hours}`;
    const rule = this.#rules.get(key) ?? parseHours(hours, timeZone);
    this.#rules.set(key, rule);
    return rule;
  }

  #days(timeZone: string): DayOf {
    const known = this.#dayOf.get(timeZone) ?? dayIn(timeZone);
    this.#dayOf.set(timeZone, known);
    return known;
  }

  #evaluate(record: StationRecord, hours: HoursRule): Evaluation {
    const nowMs = this.#io.clock.wallMs();
    return evaluate(record, this.#io.live.get(record.id), hours(nowMs), nowMs, this.#days(record.timeZone));
  }

  #rowsOf(region: string): Row[] {
    return [...(this.#regions.get(region)?.ids ?? [])].flatMap((id) => this.#rows.get(id) ?? []);
  }

  #enterRegions(record: StationRecord): void {
    for (const region of regionChain(record.region)) {
      const known = this.#regions.get(region) ?? { ids: new Set(), seq: this.#seq, leftSeq: this.#seq };
      known.ids.add(record.id);
      this.#regions.set(region, known);
    }
  }

  /** @returns the regions that the station leaves */
  #move(from: StationRecord, to: StationRecord): string[] {
    const stays = new Set(regionChain(to.region));
    const left = regionChain(from.region).filter((region) => !stays.has(region));
    for (const region of left) {
      const known = this.#regions.get(region);
      known?.ids.delete(from.id);
      if (known?.ids.size === 0) this.#regions.delete(region);
    }
    return left;
  }
}

/** The step of an entry that no one was told of yet. */
const neverTold = -1;
const nowhere: ReadonlySet<string> = new Set();
