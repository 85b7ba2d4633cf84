import { stepDelivery } from '../../../agent/core/delivery.ts';
import { nextTickMs } from '../../../agent/core/delivery-send.ts';
import {
  type DeliveryConfig,
  type DeliveryEffect,
  type DeliveryInput,
  type DeliveryState,
  type EpochPosition,
  startDelivery,
} from '../../../agent/core/delivery-state.ts';

/** The product's defaults, without the rate bound. */
export const config: DeliveryConfig = {
  windowBatches: 4,
  noProgressMs: 20_000,
  rehelloMs: 300_000,
  welcomeTimeoutMs: 20_000,
  maxBatchesPerS: Number.POSITIVE_INFINITY,
  helloMaxEpochs: 64,
};

/** Events in a batch that a test's outbox reads. */
export const batch = 10;

export const epoch = (id: string, last: number, acked = 0, oldest = 1): EpochPosition => ({ id, oldest, last, acked });

export const send = (id: string, first: number, session = 's1') => ({ type: 'send', session, epoch: id, first });

/** Delivery under a test's own time and chance; nonces are n1, n2, … */
export class Delivery {
  state: DeliveryState;
  nowMs = 0;
  random = 0;
  readonly config: DeliveryConfig;
  /** When what an answer told the time to had left. */
  readonly asked: number[] = [];
  #nonces = 0;

  constructor(more: Partial<DeliveryConfig> = {}) {
    this.config = { ...config, ...more };
    this.state = startDelivery(this.config, 0);
  }

  step(input: DeliveryInput): DeliveryEffect[] {
    const nonce = `n${this.#nonces + 1}`;
    const { state, effects } = stepDelivery(
      this.state,
      input,
      { nowMs: this.nowMs, random: this.random, nonce },
      this.config,
    );
    this.state = state;
    if (effects.some(({ type }) => type === 'hello')) this.#nonces += 1;
    for (const effect of effects) if (effect.type === 'time-told') this.asked.push(effect.askedMs);
    return effects.filter(({ type }) => type !== 'time-told');
  }

  connect(...epochs: EpochPosition[]): DeliveryEffect[] {
    return this.step({ type: 'connected', epochs });
  }

  welcome(
    stored: Readonly<Record<string, number>>,
    { nonce = `n${this.#nonces}`, session = 's1' } = {},
  ): DeliveryEffect[] {
    const epochs = Object.entries(stored).map(([id, upTo]) => ({ id, upTo }));
    return this.step({ type: 'welcome', welcome: { v: 1, nonce, session, now: 0, epochs } });
  }

  ack(id: string, upTo: number, session = 's1'): DeliveryEffect[] {
    return this.step({ type: 'ack', session, epoch: id, upTo });
  }

  sent(id: string, first: number, upTo: number): DeliveryEffect[] {
    return this.step({ type: 'sent', epoch: id, first, upTo, atMs: this.nowMs });
  }

  tickAt(nowMs: number): DeliveryEffect[] {
    this.nowMs = nowMs;
    return this.step({ type: 'tick' });
  }

  dueMs(): number {
    return nextTickMs(this.state, this.config);
  }

  /** Answers every `send` among the effects, and those that follow, as an outbox would. @returns what was sent */
  answer(effects: readonly DeliveryEffect[]): [epoch: string, first: number, upTo: number][] {
    const sent: [string, number, number][] = [];
    for (let next = effects.find(({ type }) => type === 'send'); next?.type === 'send'; ) {
      const { epoch: id, first } = next;
      const last = this.state.epochs.find((known) => known.id === id)?.last ?? 0;
      const upTo = Math.min(last, first + batch - 1);
      sent.push([id, first, upTo]);
      if (sent.length > 100) throw new Error('sends without end');
      next = this.sent(id, first, upTo).find(({ type }) => type === 'send');
    }
    return sent;
  }
}

/** Connected, welcomed with what it had acknowledged, its clock set; nothing is sent yet of what is left. */
export function streaming(epochs: readonly EpochPosition[], more: Partial<DeliveryConfig> = {}): Delivery {
  const delivery = new Delivery(more);
  delivery.connect(...epochs);
  delivery.welcome(Object.fromEntries(epochs.map(({ id, acked }) => [id, acked])));
  return delivery;
}

/** The same, with its window sent. */
export function sending(epochs: readonly EpochPosition[], more: Partial<DeliveryConfig> = {}): Delivery {
  const delivery = streaming(epochs, more);
  delivery.answer(delivery.step({ type: 'clock', set: true }));
  return delivery;
}
