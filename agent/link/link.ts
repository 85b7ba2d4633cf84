import { decode, encode, encodeBatch } from '../../protocol/codec.ts';
import { type Cancel, type Clock, sleep } from '../../protocol/host/clock.ts';
import type { Logger } from '../../protocol/host/log.ts';
import type { MessageSession, OpenSession, Outgoing, Received } from '../../protocol/host/session.ts';
import { batchMaxBytes, batchMaxEvents, type Command, type Messages } from '../../protocol/messages.ts';
import type { StationState } from '../../protocol/state.ts';
import { downChannels, parseTopic, retainedChannels, topicOf, type UpChannel } from '../../protocol/topics.ts';
import { type BackoffConfig, backoffMs } from '../core/backoff.ts';
import type { ClockSample } from '../core/clock.ts';
import {
  type DeliveryConfig,
  type DeliveryEffect,
  type DeliveryInput,
  type DeliveryState,
  nextTickMs,
  startDelivery,
  stepDelivery,
} from '../core/delivery.ts';
import { cover, forgetEpochs, purgeable, type Retention } from '../core/retention.ts';
import type { Outbox } from '../outbox/outbox.ts';
import { type StateLane, startStateLane } from './state-lane.ts';

export type LinkConfig = DeliveryConfig & {
  station: string;
  url: string;
  username: string;
  password: string;
  mqttVersion: '3.1.1' | '5';
  keepaliveS: number;
  ca: string | undefined;
  reportIntervalMs: number;
  keepAckedMs: number;
  backoff: BackoffConfig & { stableMs: number };
  agentVersion: string;
  configHash: string;
};

export type DeliveryNotice = Extract<DeliveryEffect, { type: 'alarm' }>;

export type LinkIo = {
  clock: Clock;
  random: () => number;
  newToken: () => string;
  openSession: OpenSession;
  outbox: Outbox;
  log: Logger;
  /** The whole live state, with the nonce of the connection that carries it. */
  state: (nonce: string, beat: boolean) => StationState;
  /** The cloud's time; resolves with whether the clock is trusted now, once that is durable. */
  clockSample: (sample: ClockSample) => Promise<boolean>;
  command: (command: Command) => Promise<Omit<Messages['replies'], 'v'>>;
  alarm: (notice: DeliveryNotice) => void;
  /** The outbox failed under the link. */
  failed: (error: unknown) => void;
};

const connectTimeoutMs = 20_000;
/** A network that takes nothing gets no more states on top of this. */
const maxQueuedBytes = 512 * 1024;
/** A broker that floods a station is left. */
const maxWork = 10_000;
const closeTimeoutMs = 1500;

type Work = DeliveryInput | { type: 'message'; message: Received; atMs: number };

/** Keeps the station connected: the live lane first, the durable lane behind it (README §3). */
export class Link {
  readonly #config: LinkConfig;
  readonly #io: LinkIo;
  readonly #stopping = new AbortController();
  readonly #lane: StateLane;
  readonly #running: Promise<void>;
  readonly #work: Work[] = [];
  #working = false;
  #delivery: DeliveryState;
  #retention: Retention = {};
  #live: { session: MessageSession; nonce: string } | null = null;
  /** For the next repeated hello; random bytes are too dear to be drawn for every input. */
  #freshNonce: string;
  #cancelTick: Cancel = () => {};
  #helloAtMs = 0;
  /** When the oldest batch in flight left, or an older time: an ack's clock is no older than it. */
  #sentAtMs = 0;

  constructor(config: LinkConfig, io: LinkIo) {
    this.#config = config;
    this.#io = io;
    this.#freshNonce = io.newToken();
    this.#delivery = startDelivery(config, io.clock.monotonicMs());
    this.#lane = startStateLane(io.clock, config.reportIntervalMs, (beat) => this.#sendState(beat));
    this.#running = this.#connectForever();
  }

  appended(epoch: string, last: number): void {
    this.#enqueue({ type: 'appended', epoch, last });
  }

  stateChanged(): void {
    this.#lane.changed();
  }

  clockTrusted(set: boolean): void {
    this.#enqueue({ type: 'clock', set });
  }

  /** Asks the cloud where every kept epoch stands; what is covered for long enough is purged. */
  helloAgain(): void {
    this.#enqueue({ type: 'hello-again' });
  }

  /** Resolves with true once all is acknowledged, with false when the time or the connection is over. */
  async drain(timeoutMs: number): Promise<boolean> {
    const endMs = this.#io.clock.monotonicMs() + timeoutMs;
    // The delivery knows no epoch before the first connection: the outbox alone tells.
    const drained = (): boolean => this.#io.outbox.positions().every(({ acked, last }) => acked >= last);
    while (!drained() && this.#live && this.#io.clock.monotonicMs() < endMs) await sleep(this.#io.clock, 20);
    return drained();
  }

  /** Says goodbye, lets what was sent leave, and disconnects. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#lane.stop();
    this.#cancelTick();
    const live = this.#live;
    if (live) {
      this.#publish('presence', { online: false, nonce: live.nonce });
      const late = sleep(this.#io.clock, closeTimeoutMs).then(() => live.session.abort());
      await Promise.race([live.session.close(), late]);
    }
    await this.#running;
  }

  async #connectForever(): Promise<void> {
    const { clock, random, log } = this.#io;
    const { backoff } = this.#config;
    let attempt = 0;
    while (!this.#stopping.signal.aborted) {
      const startMs = clock.monotonicMs();
      const reason = await this.#connectOnce().catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (this.#stopping.signal.aborted) return;
      // Two boards with one identity take the session from each other: short ones keep backing off.
      attempt = clock.monotonicMs() - startMs >= backoff.stableMs ? 0 : attempt + 1;
      const retryMs = backoffMs(attempt, random(), backoff);
      log.warn({ reason, retryMs }, 'link is down');
      await sleep(clock, retryMs, this.#stopping.signal);
    }
  }

  async #connectOnce(): Promise<string> {
    const { io, config } = { io: this.#io, config: this.#config };
    const nonce = io.newToken();
    const session = await io.openSession({
      url: config.url,
      clientId: `${config.station}-${io.outbox.instance.slice(0, 8)}`,
      username: config.username,
      password: config.password,
      mqttVersion: config.mqttVersion,
      keepaliveS: config.keepaliveS,
      connectTimeoutMs,
      ca: config.ca,
      will: this.#outgoing('presence', encode('presence', { online: false, nonce })),
      subscriptions: downChannels.map((channel) => topicOf(config.station, channel)),
      onMessage: (message) => this.#enqueue({ type: 'message', message, atMs: io.clock.monotonicMs() }),
    });
    if (this.#stopping.signal.aborted) {
      session.abort();
      return 'stopped';
    }
    this.#live = { session, nonce };
    io.log.info({ url: config.url }, 'link is up');
    this.#publish('presence', { online: true, nonce });
    this.#enqueue({ type: 'connected', epochs: io.outbox.positions() });
    this.#lane.connected();
    const reason = await session.closed;
    this.#live = null;
    this.#enqueue({ type: 'disconnected' });
    return reason;
  }

  /** One piece of work at a time: what an effect awaits is done before the next input is taken. */
  #enqueue(item: Work): void {
    if (this.#work.length >= maxWork) return this.#live?.session.abort();
    this.#work.push(item);
    if (!this.#working) void this.#runWork();
  }

  async #runWork(): Promise<void> {
    this.#working = true;
    try {
      for (let item = this.#work.shift(); item; item = this.#work.shift()) {
        if (item.type === 'message') await this.#receive(item.message, item.atMs);
        else await this.#step(item);
      }
    } catch (error) {
      this.#io.failed(error);
    } finally {
      this.#working = false;
    }
  }

  async #step(input: DeliveryInput): Promise<void> {
    const { clock, random, newToken } = this.#io;
    // The first hello of a connection carries the connection's nonce, a repeated one a fresh one.
    const nonce = input.type === 'connected' && this.#live ? this.#live.nonce : this.#freshNonce;
    const stepped = stepDelivery(
      this.#delivery,
      input,
      { nowMs: clock.monotonicMs(), random: random(), nonce },
      this.#config,
    );
    this.#delivery = stepped.state;
    if (stepped.effects.some((effect) => effect.type === 'hello')) this.#freshNonce = newToken();
    for (const effect of stepped.effects) await this.#execute(effect);
    if (input.type === 'welcome') await this.#purge();
    this.#cancelTick();
    const tickMs = nextTickMs(this.#delivery, this.#config);
    if (!Number.isFinite(tickMs) || this.#stopping.signal.aborted) return;
    this.#cancelTick = clock.after(Math.max(1, tickMs - clock.monotonicMs()), () => this.#enqueue({ type: 'tick' }));
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
        return this.#enqueue({ type: 'epoch-opened', id: await outbox.openEpoch() });
      case 'alarm':
        return this.#io.alarm(effect);
    }
  }

  #hello({ nonce, epochs }: Extract<DeliveryEffect, { type: 'hello' }>): void {
    this.#helloAtMs = this.#io.clock.monotonicMs();
    const { agentVersion, configHash } = this.#config;
    this.#publish('hello', { nonce, instance: this.#io.outbox.instance, agent: agentVersion, configHash, epochs });
  }

  async #sendBatch({ session, epoch, first }: Extract<DeliveryEffect, { type: 'send' }>): Promise<void> {
    const batch = await this.#io.outbox.read(epoch, first, { maxEvents: batchMaxEvents, maxBytes: batchMaxBytes });
    if (!batch || !this.#live) return this.#enqueue({ type: 'nothing-to-send' });
    if (this.#delivery.inFlight.length === 0) this.#sentAtMs = this.#io.clock.monotonicMs();
    this.#live.session.publish(this.#outgoing('events', encodeBatch({ session, epoch, first, events: batch.events })));
    this.#enqueue({ type: 'sent', epoch, first, upTo: batch.upTo });
  }

  async #purge(): Promise<void> {
    const due = purgeable(this.#retention, this.#io.clock.monotonicMs(), this.#config.keepAckedMs);
    if (due.length === 0) return;
    for (const { epoch, upTo } of due) await this.#io.outbox.purge(epoch, upTo);
    const positions = this.#io.outbox.positions();
    this.#retention = forgetEpochs(this.#retention, new Set(positions.map((position) => position.id)));
    this.#enqueue({ type: 'purged', epochs: positions });
  }

  async #receive(message: Received, atMs: number): Promise<void> {
    const address = parseTopic(message.topic);
    if (address?.station !== this.#config.station) return;
    switch (address.channel) {
      case 'welcome': {
        const welcome = this.#heard('welcome', message);
        if (!welcome) return;
        await this.#sampleClock(welcome.now, this.#helloAtMs, atMs);
        return this.#step({ type: 'welcome', welcome });
      }
      case 'ack': {
        const ack = this.#heard('ack', message);
        if (!ack) return;
        await this.#sampleClock(ack.now, this.#sentAtMs, atMs);
        return this.#step({ type: 'ack', session: ack.session, epoch: ack.epoch, upTo: ack.upTo });
      }
      case 'reset': {
        const reset = this.#heard('reset', message);
        return reset ? this.#step({ type: 'reset', session: reset.session }) : undefined;
      }
      case 'commands': {
        const command = this.#heard('commands', message);
        return command ? this.#publish('replies', await this.#io.command(command)) : undefined;
      }
      default:
        this.#io.log.debug({ topic: message.topic }, 'message is not used by this version');
    }
  }

  #heard<C extends 'welcome' | 'ack' | 'reset' | 'commands'>(
    channel: C,
    { topic, payload }: Received,
  ): Messages[C] | null {
    const decoded = decode(channel, payload);
    if (decoded.ok) return decoded.message;
    this.#io.log.warn({ topic, cause: decoded.cause, detail: decoded.detail }, 'message from the cloud refused');
    return null;
  }

  /** The cloud looked at its clock somewhere between our asking and its answer. */
  async #sampleClock(now: number, askedMs: number, heardMs: number): Promise<void> {
    const halfMs = (heardMs - askedMs) / 2;
    const trusted = await this.#io.clockSample({
      source: 'cloud',
      monoMs: heardMs,
      wallMs: now + halfMs,
      uncertaintyMs: halfMs,
    });
    if (trusted !== this.#delivery.clockSet) await this.#step({ type: 'clock', set: trusted });
  }

  #sendState(beat: boolean): boolean {
    if (!this.#live || this.#live.session.queuedBytes() > maxQueuedBytes) return false;
    try {
      this.#publish('state', this.#io.state(this.#live.nonce, beat));
    } catch (error) {
      this.#io.failed(error);
      return false;
    }
    return true;
  }

  #publish<C extends UpChannel>(channel: C, message: Omit<Messages[C], 'v'>): void {
    this.#live?.session.publish(this.#outgoing(channel, encode(channel, message)));
  }

  #outgoing(channel: UpChannel, payload: Buffer): Outgoing {
    return { topic: topicOf(this.#config.station, channel), payload, retain: retainedChannels.has(channel) };
  }
}
