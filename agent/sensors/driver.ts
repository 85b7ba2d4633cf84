import type { Clock } from '../../protocol/host/clock.ts';
import type { Reading } from '../core/reading.ts';

/** What a driver tells the agent, at the moment it happens. */
export type DriverEvent =
  | { type: 'opened' }
  | { type: 'closed'; reason: string }
  | { type: 'reading'; board: string | null; reading: Reading }
  /** A board says how long it is up. */
  | { type: 'board-up'; board: string; upS: number; firmware: string | null }
  /** A board's line counter began again: so did its other counters. */
  | { type: 'board-restarted'; board: string }
  /** A board may have restarted unseen: the port was gone, or too many lines are missing. */
  | { type: 'board-unsettled'; board: string }
  | { type: 'lost-lines'; board: string; lines: number }
  /** Bytes that are no reading, by cause. */
  | { type: 'rejected'; cause: string; detail: string }
  /** Something that this version does not know: counted, logged once, never fatal. */
  | { type: 'unknown'; what: string }
  /** A gateway says that the device behind a sensor is gone. */
  | { type: 'gone'; sensor: string; reason: string };

export type EmitDriverEvent = (event: DriverEvent) => void;

/**
 * The one contract of every driver: it is started, it emits, it is disposed. Nothing that its wire
 * does stops it: it reopens with backoff and jitter by the same address until it is disposed.
 */
export interface Driver extends AsyncDisposable {
  /** The configured name; sensors remember which source they belong to by it. */
  readonly name: string;
}

export type DriverIo = { clock: Clock; random: () => number; emit: EmitDriverEvent };
