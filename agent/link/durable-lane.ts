import { encode, encodeBatch } from '../../protocol/codec.ts';
import type { Cancel, Clock } from '../../protocol/host/clock.ts';
import { type Ack, batchMaxBytes, batchMaxEvents, type Welcome } from '../../protocol/messages.ts';
import type { UpChannel } from '../../protocol/topics.ts';
import type { ClockSample } from '../core/clock.ts';
import { stepDelivery } from '../core/delivery.ts';
import { nextTickMs } from '../core/delivery-send.ts';
import {
  type DeliveryConfig,
  type DeliveryEffect,
  type DeliveryInput,
  type DeliveryState,
  isDrained,
  startDelivery,
} from '../core/delivery-state.ts';
import { cover, forgetEpochs, purgeable, type Retention } from '../core/retention.ts';
import type { Outbox } from '../outbox/outbox.ts';

export type DurableLaneConfig = DeliveryConfig & { keepAckedMs: number; agentVersion: string; configHash: string };

export type DeliveryNotice = Extract<DeliveryEffect, { type: 'alarm' }>;

export type DurableLaneIo = {
  clock: Clock;
  random: () => number;
  newToken: () => string;
  outbox: Outbox;
  /** Resolves once what was published could leave and what arrived meanwhile was taken. */
  turn: () => Promise<void>;
  /** @returns whether there is a connection that takes it */
  publish: (channel: UpChannel, payload: Buffer) => boolean;
  /** The cloud's time; resolves with whether the clock is trusted now, once that is durable. */
  clockSample: (sample: Omit<ClockSample, 'source'>) => Promise<boolean>;
  alarm: (notice: DeliveryNotice) => void;
  /** More comes than can be worked off: the connection is to be left. */
  overrun: () => void;
  /** The outbox failed under the lane. */
  failed: (error: unknown) => void;
};

/** A broker that floods a station is left. */
const maxWork = 10_000;

type Work =
  | { kind: 'input'; input: DeliveryInput }
  | { kind: 'welcome'; welcome: Welcome; atMs: number }
  | { kind: 'ack'; ack: Ack; atMs: number };

/** The durable lane: one executor for each effect of the delivery core, over the outbox (protocol README §3). */
export class DurableLane {
  readonly #config: DurableLaneConfig;
  readonly #io: DurableLaneIo;
  readonly #work: Work[] = [];
  #working = false;
  #stopped = false;
  #delivery: DeliveryState;
  #retention: Retention = {};
  /** The first hello of a connection carries the connection's nonce, a repeated one a fresh one. */
  #nonce = '';
  /** For the next repeated hello; random bytes are too dear to be drawn for every input. */
  #freshNonce: string;
  #cancelTick: Cancel = () => {};
  /** The cloud's time in the message that is being taken, and when that arrived. */
  #told = { now: 0, heardMs: 0 };

  constructor(config: DurableLaneConfig, io: DurableLaneIo) {
    this.#config = config;
    this.#io = io;
    this.#freshNonce = io.newToken();
    this.#delivery = startDelivery(config, io.clock.monotonicMs());
  }

  /** Whether everything that the outbox has is acknowledged, as far as this connection knows. */
  get drained(): boolean {
    return isDrained(this.#delivery);
  }

  connected(nonce: string): void {
    this.#nonce = nonce;
    this.step({ type: 'connected', epochs: this.#io.outbox.positions() });
  }

  step(input: DeliveryInput): void {
    this.#enqueue({ kind: 'input', input });
  }

  /** @param atMs monotonic time of its arrival */
  welcome(welcome: Welcome, atMs: number): void {
    this.#enqueue({ kind: 'welcome', welcome, atMs });
  }

  ack(ack: Ack, atMs: number): void {
    this.#enqueue({ kind: 'ack', ack, atMs });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
  }

  /** One piece of work at a time: what an effect awaits is done before the next input is taken. */
  #enqueue(item: Work): void {
    if (this.#work.length >= maxWork) return this.#io.overrun();
    this.#work.push(item);
    if (!this.#working) void this.#runWork();
  }

  async #runWork(): Promise<void> {
    this.#working = true;
    try {
      for (let item = this.#work.shift(); item; item = this.#work.shift()) await this.#take(item);
    } catch (error) {
      this.#io.failed(error);
    } finally {
      this.#working = false;
    }
  }

  async #take(work: Work): Promise<void> {
    switch (work.kind) {
      case 'input':
        return this.#step(work.input);
      case 'welcome':
        this.#told = { now: work.welcome.now, heardMs: work.atMs };
        return this.#step({ type: 'welcome', welcome: work.welcome });
      case 'ack': {
        const { now, session, epoch, upTo } = work.ack;
        this.#told = { now, heardMs: work.atMs };
        return this.#step({ type: 'ack', session, epoch, upTo });
      }
    }
  }

  async #step(input: DeliveryInput): Promise<void> {
    const { clock, random, newToken } = this.#io;
    const nonce = input.type === 'connected' ? this.#nonce : this.#freshNonce;
    const tick = { nowMs: clock.monotonicMs(), random: random(), nonce };
    const stepped = stepDelivery(this.#delivery, input, tick, this.#config);
    this.#delivery = stepped.state;
    if (stepped.effects.some((effect) => effect.type === 'hello')) this.#freshNonce = newToken();
    for (const effect of stepped.effects) await this.#execute(effect);
    if (input.type === 'welcome') await this.#purge();
    this.#cancelTick();
    const tickMs = nextTickMs(this.#delivery, this.#config);
    if (!Number.isFinite(tickMs) || this.#stopped) return;
    this.#cancelTick = clock.after(Math.max(1, tickMs - clock.monotonicMs()), () => this.step({ type: 'tick' }));
  }

  async #execute(effect: DeliveryEffect): Promise<void> {
    const { outbox, clock } = this.#io;
    switch (effect.type) {
      case 'hello':
        return this.#hello(effect);
      case 'send':
        return this.#sendBatch(effect);
      case 'acked':
        return outbox.acknowledge(effect.epoch, effect.upTo);
      case 'covered':
        this.#retention = cover(this.#retention, effect.epoch, effect.upTo, clock.monotonicMs());
        return;
      case 'open-epoch':
        return this.step({ type: 'epoch-opened', id: await outbox.openEpoch() });
      case 'alarm':
        return this.#io.alarm(effect);
      case 'time-told':
        return this.#sampleClock(effect.askedMs);
    }
  }

  #hello({ nonce, epochs }: Extract<DeliveryEffect, { type: 'hello' }>): void {
    const { agentVersion, configHash } = this.#config;
    const { instance } = this.#io.outbox;
    this.#io.publish('hello', encode('hello', { nonce, instance, agent: agentVersion, configHash, epochs }));
  }

  async #sendBatch({ session, epoch, first }: Extract<DeliveryEffect, { type: 'send' }>): Promise<void> {
    const batch = await this.#io.outbox.read(epoch, first, { maxEvents: batchMaxEvents, maxBytes: batchMaxBytes });
    const atMs = this.#io.clock.monotonicMs();
    if (!batch || !this.#io.publish('events', encodeBatch({ session, epoch, first, events: batch.events })))
      return this.step({ type: 'nothing-to-send' });
    // A whole window read in one go would hold back the sensors, and this batch.
    await this.#io.turn();
    this.step({ type: 'sent', epoch, first, upTo: batch.upTo, atMs });
  }

  async #purge(): Promise<void> {
    const due = purgeable(this.#retention, this.#io.clock.monotonicMs(), this.#config.keepAckedMs);
    if (due.length === 0) return;
    for (const { epoch, upTo } of due) await this.#io.outbox.purge(epoch, upTo);
    const positions = this.#io.outbox.positions();
    this.#retention = forgetEpochs(this.#retention, new Set(positions.map((position) => position.id)));
    this.step({ type: 'purged', epochs: positions });
  }

  /** The cloud looked at its clock somewhere between our asking and its answer. */
  async #sampleClock(askedMs: number): Promise<void> {
    const { now, heardMs } = this.#told;
    const halfMs = (heardMs - askedMs) / 2;
    const trusted = await this.#io.clockSample({ monoMs: heardMs, wallMs: now + halfMs, uncertaintyMs: halfMs });
    if (trusted !== this.#delivery.clockSet) await this.#step({ type: 'clock', set: trusted });
  }
}
