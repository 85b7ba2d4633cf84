import type { HelloEpoch, Welcome } from '../../protocol/messages.ts';

export type DeliveryConfig = {
  /** Batches sent and not yet acknowledged, at most. */
  windowBatches: number;
  /** Without an advancing ack for this long everything unacknowledged is sent again, ms. */
  noProgressMs: number;
  /** Without any advance for this long, or without a welcome, the hello is repeated, ms. */
  rehelloMs: number;
  welcomeTimeoutMs: number;
  /** Batches a second, at most: a backlog leaves room for what is true now. */
  maxBatchesPerS: number;
  helloMaxEpochs: number;
};

/** One epoch of the outbox as the delivery sees it. */
export type EpochPosition = { id: string; oldest: number; last: number; acked: number };

export type SendingEpoch = EpochPosition & {
  sent: number;
  /** A welcome of this connection told where it stands. */
  told: boolean;
};

/** A batch under way. */
export type InFlight = { epoch: string; upTo: number; sentMs: number };

export type Phase =
  | { kind: 'offline' }
  | { kind: 'greeting'; nonce: string; askedMs: number; deadlineMs: number; asked: readonly string[] }
  | { kind: 'streaming'; session: string };

/**
 * Go-back-N over the epochs of the outbox (protocol README §3, rules 3, 4 and 9). Nothing is sent
 * before a welcome; only an advancing ack, the no-progress timer or a new event sends.
 */
export type DeliveryState = {
  phase: Phase;
  /** In the order of their making; the last one is the current one. */
  epochs: readonly SendingEpoch[];
  inFlight: readonly InFlight[];
  /** Batches of this session were sent more than once: which of them an ack answers cannot be told. */
  resent: boolean;
  /** False while the clock is not trusted: events wait (rule 12). */
  clockSet: boolean;
  retryAtMs: number;
  rehelloAtMs: number;
  /** Batches that may go now, and since when that was counted. */
  credit: number;
  creditAtMs: number;
  /** The batch that was asked for and is not yet answered by `sent` or `nothing-to-send`. */
  reading: { epoch: string; first: number } | null;
};

/** Time and chance of one input: `random` is in [0, 1), `nonce` is fresh. */
export type Tick = { nowMs: number; random: number; nonce: string };

export type DeliveryInput =
  | { type: 'connected'; epochs: readonly EpochPosition[] }
  | { type: 'disconnected' }
  | { type: 'welcome'; welcome: Welcome }
  | { type: 'reset'; session: string }
  | { type: 'ack'; session: string; epoch: string; upTo: number }
  | { type: 'appended'; epoch: string; last: number }
  | { type: 'epoch-opened'; id: string }
  | { type: 'clock'; set: boolean }
  | { type: 'sent'; epoch: string; first: number; upTo: number; atMs: number }
  | { type: 'nothing-to-send' }
  /** Rows were purged or trimmed: where every kept epoch begins now. */
  | { type: 'purged'; epochs: readonly EpochPosition[] }
  | { type: 'hello-again' }
  | { type: 'tick' };

export type DeliveryAlarm = 'ack-ahead-closed' | 'ack-ahead-current' | 'rewound';

export type DeliveryEffect =
  | { type: 'hello'; nonce: string; epochs: HelloEpoch[] }
  /** Read a batch from `first` on and publish it; answer with `sent` or `nothing-to-send`. */
  | { type: 'send'; session: string; epoch: string; first: number }
  | { type: 'acked'; epoch: string; upTo: number }
  /** A welcome covers the epoch up to here: its age for purging counts from now (rule 7). */
  | { type: 'covered'; epoch: string; upTo: number }
  | { type: 'open-epoch' }
  /** The message that was just taken answers what left then: its `now` lies between that and its arrival. */
  | { type: 'time-told'; askedMs: number }
  | { type: 'alarm'; alarm: DeliveryAlarm; epoch: string; acked: number; upTo: number };

export type DeliveryStep = { state: DeliveryState; effects: DeliveryEffect[] };

export function startDelivery(config: DeliveryConfig, nowMs: number): DeliveryState {
  return {
    phase: { kind: 'offline' },
    epochs: [],
    inFlight: [],
    resent: false,
    clockSet: false,
    retryAtMs: Number.POSITIVE_INFINITY,
    rehelloAtMs: Number.POSITIVE_INFINITY,
    credit: config.windowBatches,
    creditAtMs: nowMs,
    reading: null,
  };
}

/** Whether everything up to the newest event is acknowledged. */
export function isDrained(state: DeliveryState): boolean {
  return state.epochs.every((epoch) => epoch.acked >= epoch.last);
}

/** What the cloud stores may have changed: every epoch is to be asked about again. */
export function untold(state: DeliveryState): DeliveryState {
  return { ...state, epochs: state.epochs.map((epoch) => ({ ...epoch, told: false })) };
}

export function withEpoch(
  state: DeliveryState,
  id: string,
  change: (epoch: SendingEpoch) => SendingEpoch,
): DeliveryState {
  return { ...state, epochs: state.epochs.map((epoch) => (epoch.id === id ? change(epoch) : epoch)) };
}

/** Spreads a wait over 1 to 1.5 of its length, so that stations do not move in step. */
export function jittered(delayMs: number, tick: Tick): number {
  return delayMs * (1 + tick.random / 2);
}

export function also(effects: DeliveryEffect[], step: DeliveryStep): DeliveryStep {
  return { state: step.state, effects: [...effects, ...step.effects] };
}

export function quiet(state: DeliveryState): DeliveryStep {
  return { state, effects: [] };
}
