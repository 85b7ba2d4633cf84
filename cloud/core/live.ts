import type { StationState } from '../../protocol/state.ts';

/**
 * When the station was last used, by its events: the last time, and the last time before the slot
 * of that one, because a slot that is not over says nothing to the public. Unix ms; null for never.
 */
export type LastUse = { at: number | null; beforeSlotAt: number | null };

/** Uses are told in slots of this length: never the minute in which someone came in. */
export const useSlotMs = 20 * 60_000;

/** The last live state of a station that counts, and when it came by the cloud's own clock. */
export type LiveRecord = {
  state: StationState;
  /** Order that the cloud gave the state's epoch. */
  epochOrder: number;
  /** When the state was true, as far as the cloud can vouch for it. */
  reportedAt: number;
  /** The last regular report: all that the public learns of times. */
  beatAt: number;
  /** When a public value changed last. */
  changedAt: number;
  use: LastUse;
  /** The broker's word: a hint, never the truth (protocol README §3, rule 13). */
  online: boolean;
};

/** A clock that runs this far ahead of ours still counts as ours. */
const skewMs = 5000;

export type StateArrival = {
  state: StationState;
  epochOrder: number;
  /** Kept by the broker from earlier: it says what was, not what is. */
  retained: boolean;
  arrivedAt: number;
};

/**
 * Takes a state that is newer than the standing one by `(epoch order, sequence)`, never by clock.
 *
 * @returns the standing record where the state is older, or tells nothing of when it was true
 */
export function takeState(standing: LiveRecord | null, arrival: StateArrival): LiveRecord | null {
  const { state, epochOrder, retained } = arrival;
  const order = standing ? epochOrder - standing.epochOrder || state.seq - standing.state.seq : 1;
  if (order < 0 ? !isSuccession(standing, arrival) : retained && order === 0) return standing;
  const reportedAt = vouchedFor(arrival);
  if (reportedAt === null || (standing && order <= 0 && reportedAt < standing.reportedAt)) return standing;
  return {
    state,
    epochOrder,
    reportedAt,
    beatAt: isBeat(arrival, standing) ? reportedAt : (standing?.beatAt ?? reportedAt),
    changedAt: standing?.changedAt ?? reportedAt,
    use: standing?.use ?? neverUsed,
    // A will ends its own connection: a state of another one is from a station that came back.
    online: standing?.state.nonce === state.nonce ? standing.online : true,
  };
}

/** A copy of the station's card spoke in a newer epoch and is gone: after its lease an older epoch may speak again. */
function isSuccession(standing: LiveRecord | null, { retained, arrivedAt }: StateArrival): boolean {
  if (!standing || retained) return false;
  return arrivedAt - standing.reportedAt > 2000 * standing.state.reportIntervalS;
}

/** The same record by a clock that is set by so much. */
export function shiftRecord(record: LiveRecord, byMs: number): LiveRecord {
  const { at, beforeSlotAt } = record.use;
  return {
    ...record,
    reportedAt: record.reportedAt + byMs,
    beatAt: record.beatAt + byMs,
    changedAt: record.changedAt + byMs,
    use: { at: at === null ? null : at + byMs, beforeSlotAt: beforeSlotAt === null ? null : beforeSlotAt + byMs },
  };
}

/** A message that was long under way, or kept, tells of the past: its own time counts then. */
function vouchedFor({ state, retained, arrivedAt }: StateArrival): number | null {
  const own = state.clock === 'set' && state.at !== null ? Math.min(arrivedAt, state.at + skewMs) : null;
  return own ?? (retained ? null : arrivedAt);
}

/** A sender that never marks its regular reports is given the beat of its own interval. */
function isBeat({ state, arrivedAt }: StateArrival, standing: LiveRecord | null): boolean {
  return state.beat === true || !standing || arrivedAt - standing.beatAt >= 1.5 * state.reportIntervalS * 1000;
}

export const neverUsed: LastUse = { at: null, beforeSlotAt: null };

export function noteUse(use: LastUse, at: number): LastUse {
  if (use.at === null || at >= slotOf(use.at) + useSlotMs) return { at, beforeSlotAt: use.at };
  if (at >= slotOf(use.at)) return { ...use, at: Math.max(at, use.at) };
  return { ...use, beforeSlotAt: Math.max(at, use.beforeSlotAt ?? 0) };
}

/** The last use in a slot that is over at `nowMs`; null where there is none. */
export function toldUse(use: LastUse, nowMs: number): number | null {
  return use.at !== null && slotOf(use.at) + useSlotMs <= nowMs ? use.at : use.beforeSlotAt;
}

export function slotOf(at: number): number {
  return Math.floor(at / useSlotMs) * useSlotMs;
}
