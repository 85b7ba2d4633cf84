import type { Anchor } from '../core/clock.ts';
import type { EpochPosition } from '../core/delivery-state.ts';

/** An event as the core says it, with the monotonic time at which it happened. */
export type Entry = { bodyJson: string; transition: boolean; monoMs: number };

/** A stretch of one epoch, ready for the wire: `events` are JSON, in sequence, gaps included. */
export type Batch = { first: number; upTo: number; events: string[] };

export type BatchLimits = { maxEvents: number; maxBytes: number };

export type Appended = { ok: true; epoch: string; last: number } | { ok: false; why: 'disk-full' };

export type Trimmed = { rows: number; measurements: number; transitions: number };

/** What a command is known as: new to this outbox, under way when the power went, or answered. */
export type KnownCommand = { kind: 'new' } | { kind: 'interrupted' } | { kind: 'answered'; reply: string };

/**
 * The durable log of one station: events by `(epoch, sequence)`, with the core's memory beside
 * them. Whatever a promise of it resolves to survives a power cut. Every method throws StoreError
 * on an I/O error; the owner then closes it and opens it again.
 */
export interface Outbox extends AsyncDisposable {
  /** Random id of this database file. */
  readonly instance: string;
  /** False for the stand-in that runs while no file can be opened: it accepts nothing. */
  readonly durable: boolean;
  /** What was wrong with the file found at the start; null where it was sound or new. */
  readonly recovered: Recovery | null;
  /** Id of the epoch that is appended to. */
  currentEpoch(): string;
  /** Every kept epoch in the order of its making, the current one last. */
  positions(): EpochPosition[];
  /** Commits the events and what changed of the core's memory in one transaction. */
  append(entries: readonly Entry[], memory: Readonly<Record<string, string>>): Promise<Appended>;
  /** The core's memory as last committed. */
  memory(): Promise<Readonly<Record<string, string>>>;
  /** Events from `first` on; null where none can go yet (nothing there, or its time not known). */
  read(epoch: string, first: number, limits: BatchLimits): Promise<Batch | null>;
  /** Notes an acknowledgement; it is made durable with the next commit. */
  acknowledge(epoch: string, upTo: number): void;
  /** Starts a new epoch and returns its id. */
  openEpoch(): Promise<string>;
  /** Makes an anchor durable; the first of a boot also bounds the boots before it that had none. */
  anchor(anchor: Anchor): Promise<void>;
  anchors(): readonly Anchor[];
  /** Wall time of the oldest event that is not acknowledged; null where all are, or it is not known. */
  oldestUnacked(): Promise<number | null>;
  use(): { rows: number; bytes: number };
  /** Deletes acknowledged rows up to `upTo` of the epoch. */
  purge(epoch: string, upTo: number): Promise<number>;
  /** Frees about `rows` rows by the trim order and leaves durable gap receipts. */
  trim(rows: number): Promise<Trimmed>;
  /** Hands free pages back and empties the write-ahead log. */
  maintain(): Promise<void>;
  /** Notes that the command is about to run, or tells what is known of it. */
  beginCommand(id: string, expiresMs: number): Promise<KnownCommand>;
  endCommand(id: string, reply: string): Promise<void>;
  /** Forgets commands that expired before `wallMs`. */
  forgetCommands(wallMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A file that was corrupt: where it was set aside, and what of it could be read. */
export type Recovery = { setAside: string; problem: string; events: number; gaps: number; memory: number };
