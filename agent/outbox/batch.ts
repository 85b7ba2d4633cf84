import { eventJson } from '../../protocol/codec.ts';
import { type Anchor, type BootEstimate, type EventTime, estimatedTime, wallAt } from '../core/clock.ts';
import type { Batch, BatchLimits } from './outbox.ts';

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

/**
 * Merges rows and receipts of one epoch into a batch, from `first` on, within the limits. Where
 * neither has a sequence, the batch says so: `purged` below everything kept, `corrupt` above.
 *
 * @param horizon up to here `rows` and `gaps` are all that the epoch has
 * @param fallbackAt time of a gap that has no row after it to take its time from
 */
export function composeBatch(
  first: number,
  horizon: number,
  rows: readonly EventRow[],
  gaps: readonly GapRow[],
  base: TimeBase,
  limits: BatchLimits,
  fallbackAt: number | null,
): Batch | null {
  const events: string[] = [];
  let next = first;
  let bytes = 0;
  let rowIndex = 0;
  let gapIndex = 0;
  while (next <= horizon && events.length < limits.maxEvents) {
    const row = rows[rowIndex];
    const gap = gaps[gapIndex];
    const piece = nextPiece(next, horizon, row, gap, base, fallbackAt, first);
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

function nextPiece(
  next: number,
  horizon: number,
  row: EventRow | undefined,
  gap: GapRow | undefined,
  base: TimeBase,
  fallbackAt: number | null,
  first: number,
): Piece | null {
  if (row?.seq === next) {
    const time = rowTime(row, base);
    return time && { json: eventJson(row.body, time), upTo: next };
  }
  if (gap && gap.from_seq <= next) {
    const time = rowTime(gap, base);
    const lost = gap.from_seq === next ? gap.lost : '{}';
    return time && gapPiece(next, gap.to_seq, gap.reason, time, lost);
  }
  const upTo = Math.min(row ? row.seq - 1 : horizon, gap ? gap.from_seq - 1 : horizon);
  const known = row ?? gap;
  const time = known ? rowTime(known, base) : fallbackAt === null ? null : { at: fallbackAt };
  return time && gapPiece(next, upTo, next === first ? 'purged' : 'corrupt', time, '{}');
}

/** @param lost JSON of the sums that the range held */
function gapPiece(from: number, to: number, reason: string, time: EventTime, lost: string): Piece {
  const sums = lost === '{}' ? '' : `,"lost":${lost}`;
  const body = `{"kind":"gap","sensor":"agent","from":${from},"to":${to},"reason":"${reason}"${sums}}`;
  return { json: eventJson(body, time), upTo: to };
}
