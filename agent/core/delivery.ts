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

type SendingEpoch = EpochPosition & {
  sent: number;
  /** A welcome of this connection told where it stands. */
  told: boolean;
};

type InFlight = { epoch: string; upTo: number };

type Phase =
  | { kind: 'offline' }
  | { kind: 'greeting'; nonce: string; deadlineMs: number; asked: readonly string[] }
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
  | { type: 'sent'; epoch: string; first: number; upTo: number }
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
  | { type: 'alarm'; alarm: DeliveryAlarm; epoch: string; acked: number; upTo: number };

export type DeliveryStep = { state: DeliveryState; effects: DeliveryEffect[] };

export function startDelivery(config: DeliveryConfig, nowMs: number): DeliveryState {
  return {
    phase: { kind: 'offline' },
    epochs: [],
    inFlight: [],
    clockSet: false,
    retryAtMs: Number.POSITIVE_INFINITY,
    rehelloAtMs: Number.POSITIVE_INFINITY,
    credit: config.windowBatches,
    creditAtMs: nowMs,
    reading: null,
  };
}

export function stepDelivery(
  state: DeliveryState,
  input: DeliveryInput,
  tick: Tick,
  config: DeliveryConfig,
): DeliveryStep {
  switch (input.type) {
    case 'connected': {
      const epochs = input.epochs.map((epoch) => ({ ...epoch, sent: epoch.acked, told: false }));
      return greet({ ...state, epochs, inFlight: [], reading: null }, tick, config);
    }
    case 'disconnected':
      return quiet({ ...state, phase: { kind: 'offline' }, inFlight: [], reading: null });
    case 'welcome':
      return welcomed(state, input.welcome, tick, config);
    case 'reset':
      return state.phase.kind === 'streaming' && state.phase.session === input.session
        ? greet(untold(state), tick, config)
        : quiet(state);
    case 'ack':
      return acknowledged(state, input, tick, config);
    case 'appended':
      return pump(
        withEpoch(state, input.epoch, (epoch) => ({ ...epoch, last: input.last })),
        tick,
        config,
      );
    case 'epoch-opened':
      return quiet({
        ...state,
        epochs: [...state.epochs, { id: input.id, oldest: 1, last: 0, acked: 0, sent: 0, told: true }],
      });
    case 'clock':
      return pump({ ...state, clockSet: input.set }, tick, config);
    case 'sent':
      return sent(state, input, tick, config);
    case 'nothing-to-send':
      return quiet({ ...state, reading: null });
    case 'hello-again':
      return state.phase.kind === 'streaming' ? greet(untold(state), tick, config) : quiet(state);
    case 'purged':
      return quiet({ ...state, epochs: stillKept(state, input.epochs) });
    case 'tick':
      return ticked(state, tick, config);
  }
}

/** When `tick` is due next; infinite where nothing waits for time. */
export function nextTickMs(state: DeliveryState, config: DeliveryConfig): number {
  if (state.phase.kind === 'offline') return Number.POSITIVE_INFINITY;
  if (state.phase.kind === 'greeting') return state.phase.deadlineMs;
  const retryMs = state.inFlight.length > 0 ? state.retryAtMs : Number.POSITIVE_INFINITY;
  const creditMs =
    hasWork(state, config) && state.credit < 1
      ? state.creditAtMs + ((1 - state.credit) * 1000) / config.maxBatchesPerS
      : Number.POSITIVE_INFINITY;
  return Math.min(retryMs, creditMs, state.rehelloAtMs);
}

/** Whether everything up to the newest event is acknowledged. */
export function isDrained(state: DeliveryState): boolean {
  return state.epochs.every((epoch) => epoch.acked >= epoch.last);
}

/** Forgets the session: acks of the old one no longer count (rule 3). */
function greet(state: DeliveryState, tick: Tick, config: DeliveryConfig): DeliveryStep {
  const asked = helloEpochs(state, config);
  const phase: Phase = {
    kind: 'greeting',
    nonce: tick.nonce,
    deadlineMs: tick.nowMs + jittered(config.welcomeTimeoutMs, tick),
    asked: asked.map((epoch) => epoch.id),
  };
  return {
    state: { ...state, phase, inFlight: [], reading: null },
    effects: [{ type: 'hello', nonce: tick.nonce, epochs: asked }],
  };
}

/** Those not told about yet, oldest first, and always the current one, last. */
function helloEpochs(state: DeliveryState, config: DeliveryConfig): HelloEpoch[] {
  const current = state.epochs.at(-1);
  const older = state.epochs.slice(0, -1);
  const untold = older.filter((epoch) => !epoch.told);
  const rest = older.filter((epoch) => epoch.told && epoch.acked < epoch.last);
  const room = config.helloMaxEpochs - 1;
  const chosen = new Set([...untold, ...rest].slice(0, room).map((epoch) => epoch.id));
  const said = [...older.filter((epoch) => chosen.has(epoch.id)), ...(current ? [current] : [])];
  return said.map(({ id, oldest, last, acked }) => ({ id, oldest, last, acked }));
}

function welcomed(state: DeliveryState, welcome: Welcome, tick: Tick, config: DeliveryConfig): DeliveryStep {
  if (state.phase.kind !== 'greeting' || state.phase.nonce !== welcome.nonce) return quiet(state);
  const stored = new Map(welcome.epochs.map(({ id, upTo }) => [id, upTo]));
  const currentId = state.epochs.at(-1)?.id;
  const asked = new Set(state.phase.asked);
  const effects: DeliveryEffect[] = [];
  const epochs = state.epochs.map((epoch) => {
    if (!asked.has(epoch.id)) return { ...epoch, sent: epoch.acked };
    const upTo = stored.get(epoch.id) ?? 0;
    effects.push(...welcomeEffects(epoch, upTo, epoch.id === currentId));
    const acked = Math.min(upTo, epoch.last);
    return { ...epoch, acked, sent: acked, told: true };
  });
  const phase: Phase = { kind: 'streaming', session: welcome.session };
  const streaming = {
    ...state,
    phase,
    epochs,
    inFlight: [],
    retryAtMs: tick.nowMs + jittered(config.noProgressMs, tick),
    rehelloAtMs: tick.nowMs + jittered(config.rehelloMs, tick),
  };
  return also(effects, pump(streaming, tick, config));
}

/** Rule 9: a store that knows less makes the station send again; one that knows more is an alarm. */
function welcomeEffects(epoch: SendingEpoch, upTo: number, current: boolean): DeliveryEffect[] {
  const { id, acked, last } = epoch;
  if (upTo > last && current)
    return [alarm('ack-ahead-current', epoch, upTo), { type: 'acked', epoch: id, upTo: last }, { type: 'open-epoch' }];
  if (upTo > last)
    return [
      alarm('ack-ahead-closed', epoch, upTo),
      { type: 'acked', epoch: id, upTo: last },
      { type: 'covered', epoch: id, upTo: last },
    ];
  const covered: DeliveryEffect = { type: 'covered', epoch: id, upTo };
  if (upTo === acked) return [covered];
  const moved: DeliveryEffect = { type: 'acked', epoch: id, upTo };
  return upTo < acked ? [alarm('rewound', epoch, upTo), moved, covered] : [moved, covered];
}

function acknowledged(
  state: DeliveryState,
  ack: { session: string; epoch: string; upTo: number },
  tick: Tick,
  config: DeliveryConfig,
): DeliveryStep {
  if (state.phase.kind !== 'streaming' || state.phase.session !== ack.session) return quiet(state);
  const epoch = state.epochs.find((known) => known.id === ack.epoch);
  if (!epoch || ack.upTo <= epoch.acked) return quiet(state);
  const ahead = ack.upTo > epoch.last;
  const acked = Math.min(ack.upTo, epoch.last);
  const effects: DeliveryEffect[] = ahead
    ? welcomeEffects(epoch, ack.upTo, epoch.id === state.epochs.at(-1)?.id)
    : [{ type: 'acked', epoch: epoch.id, upTo: acked }];
  const advanced = withEpoch(state, ack.epoch, (known) => ({ ...known, acked, sent: Math.max(known.sent, acked) }));
  const inFlight = state.inFlight.filter((batch) => batch.epoch !== ack.epoch || batch.upTo > acked);
  const progressed = {
    ...advanced,
    inFlight,
    retryAtMs: tick.nowMs + jittered(config.noProgressMs, tick),
    rehelloAtMs: tick.nowMs + jittered(config.rehelloMs, tick),
  };
  return also(effects, pump(progressed, tick, config));
}

function sent(
  state: DeliveryState,
  batch: { epoch: string; first: number; upTo: number },
  tick: Tick,
  config: DeliveryConfig,
): DeliveryStep {
  // Whatever rewound meanwhile asks again; this batch is then a duplicate that the cloud knows.
  if (state.reading?.epoch !== batch.epoch || state.reading.first !== batch.first) return quiet(state);
  const first = state.inFlight.length === 0;
  const next = withEpoch(state, batch.epoch, (epoch) => ({ ...epoch, sent: Math.max(epoch.sent, batch.upTo) }));
  const retryAtMs = first ? tick.nowMs + jittered(config.noProgressMs, tick) : state.retryAtMs;
  const inFlight = [...state.inFlight, { epoch: batch.epoch, upTo: batch.upTo }];
  return pump({ ...next, inFlight, retryAtMs, reading: null, credit: state.credit - 1 }, tick, config);
}

function ticked(state: DeliveryState, tick: Tick, config: DeliveryConfig): DeliveryStep {
  if (state.phase.kind === 'offline') return quiet(state);
  if (state.phase.kind === 'greeting')
    return tick.nowMs >= state.phase.deadlineMs ? greet(state, tick, config) : quiet(state);
  if (tick.nowMs >= state.rehelloAtMs) return greet(untold(state), tick, config);
  if (state.inFlight.length === 0 || tick.nowMs < state.retryAtMs) return pump(state, tick, config);
  const epochs = state.epochs.map((epoch) => ({ ...epoch, sent: epoch.acked }));
  return pump(
    { ...state, epochs, inFlight: [], reading: null, retryAtMs: tick.nowMs + jittered(config.noProgressMs, tick) },
    tick,
    config,
  );
}

/** Asks for the next batch where the window, the rate and the clock allow one. */
function pump(state: DeliveryState, tick: Tick, config: DeliveryConfig): DeliveryStep {
  const refilled = refill(state, tick.nowMs, config);
  if (refilled.phase.kind !== 'streaming' || refilled.reading !== null) return quiet(refilled);
  const next = refilled.epochs.find((epoch) => epoch.told && epoch.sent < epoch.last);
  if (!next) return moreToTell(refilled) ? greet(refilled, tick, config) : quiet(refilled);
  if (!refilled.clockSet || refilled.inFlight.length >= config.windowBatches || refilled.credit < 1)
    return quiet(refilled);
  const effect = { type: 'send' as const, session: refilled.phase.session, epoch: next.id, first: next.sent + 1 };
  return { state: { ...refilled, reading: { epoch: next.id, first: effect.first } }, effects: [effect] };
}

/** More epochs than fit into one hello: the next ones follow when these are done. */
function moreToTell(state: DeliveryState): boolean {
  return state.inFlight.length === 0 && state.epochs.some((epoch) => !epoch.told);
}

function hasWork(state: DeliveryState, config: DeliveryConfig): boolean {
  return (
    state.clockSet &&
    state.reading === null &&
    state.inFlight.length < config.windowBatches &&
    state.epochs.some((epoch) => epoch.told && epoch.sent < epoch.last)
  );
}

function refill(state: DeliveryState, nowMs: number, config: DeliveryConfig): DeliveryState {
  if (!Number.isFinite(config.maxBatchesPerS)) return { ...state, credit: config.windowBatches, creditAtMs: nowMs };
  const gained = (Math.max(0, nowMs - state.creditAtMs) / 1000) * config.maxBatchesPerS;
  return { ...state, credit: Math.min(config.windowBatches, state.credit + gained), creditAtMs: nowMs };
}

/** What the cloud stores may have changed: every epoch is to be asked about again. */
function untold(state: DeliveryState): DeliveryState {
  return { ...state, epochs: state.epochs.map((epoch) => ({ ...epoch, told: false })) };
}

function stillKept(state: DeliveryState, positions: readonly EpochPosition[]): SendingEpoch[] {
  const oldest = new Map(positions.map((position) => [position.id, position.oldest]));
  return state.epochs.flatMap((epoch) => {
    const kept = oldest.get(epoch.id);
    return kept === undefined ? [] : [{ ...epoch, oldest: kept }];
  });
}

function withEpoch(state: DeliveryState, id: string, change: (epoch: SendingEpoch) => SendingEpoch): DeliveryState {
  return { ...state, epochs: state.epochs.map((epoch) => (epoch.id === id ? change(epoch) : epoch)) };
}

/** Spreads a wait over 1 to 1.5 of its length, so that stations do not move in step. */
function jittered(delayMs: number, tick: Tick): number {
  return delayMs * (1 + tick.random / 2);
}

function alarm(kind: DeliveryAlarm, epoch: SendingEpoch, upTo: number): DeliveryEffect {
  return { type: 'alarm', alarm: kind, epoch: epoch.id, acked: epoch.acked, upTo };
}

function also(effects: DeliveryEffect[], step: DeliveryStep): DeliveryStep {
  return { state: step.state, effects: [...effects, ...step.effects] };
}

function quiet(state: DeliveryState): DeliveryStep {
  return { state, effects: [] };
}
