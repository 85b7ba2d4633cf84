import type Database from 'better-sqlite3';
import { type LostSums, lostSumsSchema } from '../../protocol/events.ts';
import type { Trimmed } from './outbox.ts';

type Victim = { epoch: number; seq: number; mono_ms: number; anchor: number | null; body: string };
/** Order, acknowledged sequence and highest sequence that went out of an epoch. */
export type TrimmedEpoch = { n: number; acked: number; sent: number };

/**
 * Up to which sequence the cloud may have each epoch. It adds the sums of a receipt only where the
 * whole range is new to it, so what it may have never shares a receipt with anything else.
 */
type ToldUpTo = ReadonlyMap<number, number>;

type Receipt = { epoch: number; from: number; to: number; mono_ms: number; anchor: number | null; lost: LostSums };

const sql = {
  acked: 'SELECT seq FROM event WHERE epoch = ? AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?',
  // Oldest first over all epochs; the acknowledged prefix of each is gone before this runs.
  victims: 'SELECT epoch, seq, mono_ms, anchor, body FROM event WHERE transition = ? ORDER BY epoch, seq LIMIT ?',
  deleteRange: 'DELETE FROM event WHERE epoch = ? AND seq BETWEEN ? AND ?',
  // A damaged row may stand where a receipt does already: one of them has to go, or no trim would ever end.
  insertGap:
    'INSERT OR REPLACE INTO gap (epoch, from_seq, to_seq, mono_ms, anchor, reason, lost) VALUES (?, ?, ?, ?, ?, ?, ?)',
  neighbours:
    'SELECT from_seq, to_seq, mono_ms, anchor, lost FROM gap WHERE epoch = ? AND (to_seq = ? - 1 OR from_seq = ? + 1) AND from_seq > ? ORDER BY from_seq',
  deleteGap: 'DELETE FROM gap WHERE epoch = ? AND from_seq = ?',
};

/**
 * Frees about `rows` rows in one transaction, in the trim order: acknowledged ones (the cloud has
 * them), then measurements, then transitions, each oldest first. What was not acknowledged leaves a
 * receipt with the sums that it held, so that totals stay right (protocol README §3, rule 11).
 *
 * @param epochs in their order
 */
export function trimRows(db: Database.Database, epochs: readonly TrimmedEpoch[], rows: number): Trimmed {
  const toldUpTo = new Map(epochs.map(({ n, acked, sent }) => [n, Math.max(acked, sent)]));
  return db.transaction(() => {
    let removed = 0;
    for (const epoch of epochs) {
      if (removed >= rows) break;
      removed += deleteAcked(db, epoch.n, epoch.acked, rows - removed);
    }
    const measurements = removed < rows ? deleteClass(db, 0, rows - removed, 'thinned', toldUpTo) : 0;
    removed += measurements;
    const transitions = removed < rows ? deleteClass(db, 1, rows - removed, 'trimmed', toldUpTo) : 0;
    return { rows: removed + transitions, measurements, transitions };
  })();
}

function deleteAcked(db: Database.Database, epoch: number, acked: number, atMost: number): number {
  const edge = db.prepare<[number, number, number], { seq: number }>(sql.acked).get(epoch, acked, atMost - 1);
  return db.prepare(sql.deleteRange).run(epoch, 0, edge?.seq ?? acked).changes;
}

function deleteClass(
  db: Database.Database,
  transition: 0 | 1,
  atMost: number,
  reason: string,
  toldUpTo: ToldUpTo,
): number {
  const victims = db.prepare<[number, number], Victim>(sql.victims).all(transition, atMost);
  const remove = db.prepare(sql.deleteRange);
  for (const receipt of receiptsOf(victims, toldUpTo)) {
    remove.run(receipt.epoch, receipt.from, receipt.to);
    leaveReceipt(db, receipt, reason, toldUpTo.get(receipt.epoch) ?? 0);
  }
  return victims.length;
}

function receiptsOf(victims: readonly Victim[], toldUpTo: ToldUpTo): Receipt[] {
  const receipts: Receipt[] = [];
  for (const { epoch, seq, mono_ms, anchor, body } of victims) {
    const open = receipts.at(-1);
    if (open && open.epoch === epoch && open.to === seq - 1 && open.to > (toldUpTo.get(epoch) ?? 0)) {
      open.to = seq;
      addSums(open.lost, sumsOf(body));
      continue;
    }
    receipts.push({ epoch, from: seq, to: seq, mono_ms, anchor, lost: sumsOf(body) });
  }
  return receipts;
}

/** Joins the receipt with those that it touches, so that receipts do not pile up. */
function leaveReceipt(db: Database.Database, receipt: Receipt, reason: string, toldUpTo: number): void {
  type Neighbour = { from_seq: number; to_seq: number; mono_ms: number; anchor: number | null; lost: string };
  const neighbours = db.prepare<[number, number, number, number], Neighbour>(sql.neighbours);
  const touching = receipt.from > toldUpTo ? neighbours.all(receipt.epoch, receipt.from, receipt.to, toldUpTo) : [];
  let joined = receipt;
  for (const gap of touching) {
    db.prepare(sql.deleteGap).run(receipt.epoch, gap.from_seq);
    const before = gap.from_seq < joined.from;
    addSums(joined.lost, readSums(gap.lost));
    joined = {
      ...joined,
      from: Math.min(gap.from_seq, joined.from),
      to: Math.max(gap.to_seq, joined.to),
      mono_ms: before ? gap.mono_ms : joined.mono_ms,
      anchor: before ? gap.anchor : joined.anchor,
    };
  }
  const { epoch, from, to, mono_ms, anchor, lost } = joined;
  db.prepare(sql.insertGap).run(epoch, from, to, mono_ms, anchor, reason, JSON.stringify(lost));
}

const summed = ['in', 'out', 'ml', 'mwh', 'presses'] as const;

/** The sums of a stored receipt; none where its page is damaged: a sum that is no sum would spoil the batch. */
export function readSums(json: string): LostSums {
  return lostSumsSchema.safeParse(parseJson(json)).data ?? {};
}

function sumsOf(bodyJson: string): LostSums {
  const body = parseJson(bodyJson);
  if (typeof body !== 'object' || body === null) return {};
  const { sensor, ...fields }: Record<string, unknown> = { ...body };
  const amounts = summed.filter((field) => fields[field] !== 0).map((field) => [field, fields[field]]);
  return lostSumsSchema.safeParse({ [String(sensor)]: Object.fromEntries(amounts) }).data ?? {};
}

function addSums(into: LostSums, sums: LostSums): void {
  for (const [sensor, amounts] of Object.entries(sums)) {
    for (const field of summed) {
      const amount = amounts[field];
      if (amount === undefined) continue;
      const total = into[sensor] ?? {};
      into[sensor] = total;
      total[field] = (total[field] ?? 0) + amount;
    }
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
