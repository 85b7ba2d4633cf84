import { eventJson } from '../../protocol/codec.ts';
import { gapEventSchema, type LostSums } from '../../protocol/events.ts';
import { type Anchor, type BootEstimate, type EventTime, estimatedTime, wallAt } from '../core/clock.ts';
import type { Batch, BatchLimits } from './outbox.ts';
import { readSums } from './trim.ts';

export type EventRow = { seq: number; mono_ms: number; anchor: number | null; body: string };
export type GapRow = {
  from_seq: number;
  to_seq: number;
  mono_ms: number;
  anchor: number | null;
  reason: string;
  lost: string;
};

/** What tells the time of a boot's rows: never when they are sent (protocol README §3, rule 12). */
export type TimeBase = {
  anchors: ReadonlyMap<number, Anchor>;
  /** The first anchor of the boot, for rows from before it. */
  first: Anchor | null;
  estimate: BootEstimate | null;
};

/** Null while the boot may still get a clock. */
export function rowTime(row: { mono_ms: number; anchor: number | null }, base: TimeBase): EventTime | null {
  const anchor = (row.anchor === null ? undefined : base.anchors.get(row.anchor)) ?? base.first;
  if (anchor) return { at: wallAt(anchor, row.mono_ms) };
  return base.estimate ? estimatedTime(base.estimate, row.mono_ms) : null;
}

/** A stretch of one epoch as it is kept. */
export type Kept = {
  /** The first sequence of which the epoch has anything; what is below was purged. */
  oldest: number;
  /** Up to here `rows` and `gaps` are all that the epoch has. */
  horizon: number;
  rows: readonly EventRow[];
  gaps: readonly GapRow[];
  base: TimeBase;
  /** Time of a gap that has no row after it to take its time from. */
  fallbackAt: number | null;
};

/**
 * Merges rows and receipts of one epoch into a batch, from `first` on, within the limits. Where
 * neither has a sequence, the batch says so: `purged` below everything kept, `corrupt` above.
 */
export function composeBatch(first: number, kept: Kept, limits: BatchLimits): Batch | null {
  const { horizon, rows, gaps } = kept;
  const events: string[] = [];
  let next = first;
  let bytes = 0;
  let rowIndex = 0;
  let gapIndex = 0;
  while (next <= horizon && events.length < limits.maxEvents) {
    const row = rows[rowIndex];
    const gap = gaps[gapIndex];
    const piece = nextPiece(next, row, gap, kept);
    if (piece === null) break;
    bytes += Buffer.byteLength(piece.json) + 1;
    if (events.length > 0 && bytes > limits.maxBytes) break;
    events.push(piece.json);
    next = piece.upTo + 1;
    while ((rows[rowIndex]?.seq ?? next) < next) rowIndex++;
    while ((gaps[gapIndex]?.to_seq ?? next) < next) gapIndex++;
  }
  return events.length === 0 ? null : { first, upTo: next - 1, events };
}

type Piece = { json: string; upTo: number };

function nextPiece(next: number, row: EventRow | undefined, gap: GapRow | undefined, kept: Kept): Piece | null {
  const { oldest, horizon, base, fallbackAt } = kept;
  if (row?.seq === next) {
    const time = rowTime(row, base);
    return time && { json: eventJson(row.body, time), upTo: next };
  }
  const rowsFrom = row ? row.seq - 1 : Number.POSITIVE_INFINITY;
  if (gap && gap.from_seq <= next) {
    const time = rowTime(gap, base);
    return time && receiptPiece(next, Math.min(gap.to_seq, rowsFrom), gap, time);
  }
  const upTo = Math.min(horizon, rowsFrom, gap ? gap.from_seq - 1 : horizon);
  const known = row ?? gap;
  const time = known ? rowTime(known, base) : fallbackAt === null ? null : { at: fallbackAt };
  return time && gapPiece(next, upTo, next < oldest ? 'purged' : 'corrupt', time, {});
}

/** The part of a receipt from `next` on; its sums go with the whole of it alone. */
function receiptPiece(next: number, to: number, { from_seq, to_seq, reason, lost }: GapRow, time: EventTime): Piece {
  const whole = from_seq === next && to_seq === to;
  const known = gapEventSchema.shape.reason.safeParse(reason).data ?? 'corrupt';
  return gapPiece(next, to, known, time, whole ? readSums(lost) : {});
}

function gapPiece(from: number, to: number, reason: string, time: EventTime, lost: LostSums): Piece {
  const sums = Object.keys(lost).length === 0 ? {} : { lost };
  const body = JSON.stringify({ kind: 'gap', sensor: 'agent', from, to, reason, ...sums });
  return { json: eventJson(body, time), upTo: to };
}
