import type { Welcome } from '../../protocol/messages.ts';
import { greet, pump } from './delivery-send.ts';
import {
  also,
  type DeliveryAlarm,
  type DeliveryConfig,
  type DeliveryEffect,
  type DeliveryInput,
  type DeliveryState,
  type DeliveryStep,
  type EpochPosition,
  jittered,
  type Phase,
  quiet,
  type SendingEpoch,
  type Tick,
  untold,
  withEpoch,
} from './delivery-state.ts';

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

function welcomed(state: DeliveryState, welcome: Welcome, tick: Tick, config: DeliveryConfig): DeliveryStep {
  if (state.phase.kind !== 'greeting' || state.phase.nonce !== welcome.nonce) return quiet(state);
  const stored = new Map(welcome.epochs.map(({ id, upTo }) => [id, upTo]));
  const currentId = state.epochs.at(-1)?.id;
  const asked = new Set(state.phase.asked);
  const effects: DeliveryEffect[] = [{ type: 'time-told', askedMs: state.phase.askedMs }];
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
    resent: false,
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
  const answered = state.inFlight.findLast((batch) => batch.epoch === ack.epoch && batch.upTo <= ack.upTo);
  if (answered && !state.resent) effects.push({ type: 'time-told', askedMs: answered.sentMs });
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
  batch: { epoch: string; first: number; upTo: number; atMs: number },
  tick: Tick,
  config: DeliveryConfig,
): DeliveryStep {
  // Whatever rewound meanwhile asks again; this batch is then a duplicate that the cloud knows.
  if (state.reading?.epoch !== batch.epoch || state.reading.first !== batch.first) return quiet(state);
  const first = state.inFlight.length === 0;
  const next = withEpoch(state, batch.epoch, (epoch) => ({ ...epoch, sent: Math.max(epoch.sent, batch.upTo) }));
  const retryAtMs = first ? tick.nowMs + jittered(config.noProgressMs, tick) : state.retryAtMs;
  // What was acknowledged while it was read is no more under way.
  const underWay = next.epochs.some((epoch) => epoch.id === batch.epoch && epoch.acked < batch.upTo);
  const inFlight = underWay
    ? [...state.inFlight, { epoch: batch.epoch, upTo: batch.upTo, sentMs: batch.atMs }]
    : state.inFlight;
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
    {
      ...state,
      epochs,
      inFlight: [],
      resent: true,
      reading: null,
      retryAtMs: tick.nowMs + jittered(config.noProgressMs, tick),
    },
    tick,
    config,
  );
}

function stillKept(state: DeliveryState, positions: readonly EpochPosition[]): SendingEpoch[] {
  const oldest = new Map(positions.map((position) => [position.id, position.oldest]));
  return state.epochs.flatMap((epoch) => {
    const kept = oldest.get(epoch.id);
    return kept === undefined ? [] : [{ ...epoch, oldest: kept }];
  });
}

function alarm(kind: DeliveryAlarm, epoch: SendingEpoch, upTo: number): DeliveryEffect {
  return { type: 'alarm', alarm: kind, epoch: epoch.id, acked: epoch.acked, upTo };
}
