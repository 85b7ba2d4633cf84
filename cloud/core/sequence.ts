import type { SequencedEvent } from '../../protocol/codec.ts';

/** How far one epoch is stored: everything up to `upTo`, and the highest sequence stored at all. */
export type EpochPosition = { upTo: number; maxSeen: number };

export type Placement = {
  /** To be inserted; the store alone knows which of them it has already. */
  take: SequencedEvent[];
  /** Beyond the window ahead of `upTo`: the station sends them again in time. */
  tooFarAhead: number;
};

/**
 * What of a batch goes to the store (protocol README §3, rule 5). Never "not above the highest
 * seen": an event is a duplicate only where the store has its key.
 */
export function placeBatch(position: EpochPosition, events: readonly SequencedEvent[], aheadWindow: number): Placement {
  const horizon = position.upTo + aheadWindow;
  const take = events.filter((event) => event.last <= horizon || event.first <= position.upTo + 1);
  return { take, tooFarAhead: events.length - take.length };
}

/** Sequences that are stored without a hole. */
export type Stretch = { first: number; last: number };

/**
 * The highest sequence up to which nothing is missing.
 *
 * @param stretches what is stored above `upTo`, ascending by `first`; they may overlap
 */
export function advance(upTo: number, stretches: Iterable<Stretch>): number {
  let reached = upTo;
  for (const { first, last } of stretches) {
    if (first > reached + 1) break;
    reached = Math.max(reached, last);
  }
  return reached;
}
