import { randomBytes } from 'node:crypto';
import { decode, encode, encodeBatch } from '../../protocol/codec.ts';
import type { Clock } from '../../protocol/host/clock.ts';
import type { MessageSession, OpenSession, Received } from '../../protocol/host/session.ts';
import { batchMaxEvents } from '../../protocol/messages.ts';
import type { StationState } from '../../protocol/state.ts';
import { type Channel, downChannels, parseTopic, retainedChannels, topicOf } from '../../protocol/topics.ts';
import type { Random } from '../core/random.ts';
import type { LedgerWriter } from '../ledger/ledger.ts';
import { StationLog } from './station-log.ts';

export type StationClientConfig = {
  station: string;
  password: string;
  url: string;
  visitsPerDay: number;
  ports: number;
  speed: number;
  reportIntervalS: number;
  windowBatches: number;
};

export type ClientCounts = { connected: boolean; events: number; acked: number };

const noProgressMs = 20_000;
const fewestRetryMs = 1000;
const mostRetryMs = 30_000;

/**
 * A station that speaks MQTT to the cloud without a board: the protocol README's rules in their
 * shortest form, over a log in memory. It never restarts, so one epoch is all it has.
 */
export class StationClient {
  readonly #config: StationClientConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #openSession: OpenSession;
  readonly #log: StationLog;
  readonly #epoch: string;
  readonly #instance: string;
  readonly #startMs: number;
  #session: MessageSession | null = null;
  #lane: { nonce: string; session: string | null } = { nonce: '', session: null };
  #acked = 0;
  #sent = 0;
  #progressMs = 0;
  #beatMs: number;
  #changed = false;
  #attempt = 0;
  #retryAtMs = 0;
  #connecting = false;
  #stopped = false;
  #worldEnded = false;

  constructor(
    config: StationClientConfig,
    random: Random,
    ledger: LedgerWriter,
    openSession: OpenSession,
    clock: Clock,
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#random = random.fork(`${config.station} wire`);
    this.#openSession = openSession;
    this.#epoch = newId();
    this.#instance = newId();
    this.#startMs = clock.monotonicMs();
    this.#log = new StationLog(
      this.#epoch,
      { visitsPerDay: config.visitsPerDay, ports: config.ports },
      random.fork(config.station),
      ledger,
      clock.wallMs(),
    );
    // Stations do not report in step.
    this.#beatMs = this.#startMs - this.#random.next() * config.reportIntervalS * 1000;
  }

  get counts(): ClientCounts {
    return { connected: this.#lane.session !== null, events: this.#log.events.length, acked: this.#acked };
  }

  /** Lets `elapsedMs` pass: the world moves, what is due is sent. */
  tick(elapsedMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#worldEnded && this.#log.advance(elapsedMs * this.#config.speed, this.#clock.wallMs()))
      this.#changed = true;
    if (!this.#session && !this.#connecting && nowMs >= this.#retryAtMs) void this.#connect();
    const beat = nowMs - this.#beatMs >= this.#config.reportIntervalS * 1000;
    if (beat)
      this.#beatMs +=
        this.#config.reportIntervalS *
        1000 *
        Math.floor((nowMs - this.#beatMs) / (this.#config.reportIntervalS * 1000));
    if (beat || this.#changed) this.#sendState(beat);
    if (this.#sent > this.#acked && nowMs - this.#progressMs >= noProgressMs) this.#sent = this.#acked;
    this.#pump();
  }

  /** Nothing happens in the station any more; what happened is still sent. */
  endWorld(): void {
    this.#worldEnded = true;
  }

  /** The uplink fails: the connection is gone without a goodbye. */
  cutUplink(forMs: number): void {
    this.#retryAtMs = this.#clock.monotonicMs() + forMs;
    this.#session?.abort();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#session) this.#publish('presence', encode('presence', { online: false, nonce: this.#lane.nonce }));
    await this.#session?.close();
  }

  async #connect(): Promise<void> {
    this.#connecting = true;
    const { station, url, password } = this.#config;
    const nonce = newId();
    try {
      const session = await this.#openSession({
        url,
        clientId: `${station}-${this.#instance.slice(0, 8)}`,
        username: station,
        password,
        mqttVersion: '3.1.1',
        keepaliveS: 60,
        connectTimeoutMs: 30_000,
        will: {
          topic: topicOf(station, 'presence'),
          payload: encode('presence', { online: false, nonce }),
          retain: true,
        },
        subscriptions: downChannels.map((channel) => topicOf(station, channel)),
        onMessage: (message) => this.#receive(message),
      });
      this.#attempt = 0;
      this.#session = session;
      void session.closed.then(() => this.#lost());
      this.#greet(nonce);
      if (this.#stopped) await session.close();
    } catch {
      this.#lost();
    } finally {
      this.#connecting = false;
    }
  }

  #lost(): void {
    this.#session = null;
    this.#lane = { nonce: '', session: null };
    const waitMs = Math.min(mostRetryMs, fewestRetryMs * 2 ** this.#attempt) * (0.5 + this.#random.next() / 2);
    this.#attempt += 1;
    this.#retryAtMs = Math.max(this.#retryAtMs, this.#clock.monotonicMs() + waitMs);
  }

  #greet(nonce: string): void {
    this.#lane = { nonce, session: null };
    this.#publish('presence', encode('presence', { online: true, nonce }));
    const epochs = [{ id: this.#epoch, oldest: 1, last: this.#log.events.length, acked: this.#acked }];
    this.#publish(
      'hello',
      encode('hello', { nonce, instance: this.#instance, agent: 'yizhan-fleet', configHash: 'fleet', epochs }),
    );
    this.#sendState(true);
  }

  #receive({ topic, payload }: Received): void {
    switch (parseTopic(topic)?.channel) {
      case 'welcome': {
        const { ok, message } = heard('welcome', payload);
        if (!ok || message.nonce !== this.#lane.nonce || this.#lane.session !== null) return;
        this.#lane = { nonce: message.nonce, session: message.session };
        this.#acked = Math.min(message.epochs[0]?.upTo ?? 0, this.#log.events.length);
        this.#sent = this.#acked;
        return this.#pump();
      }
      case 'ack': {
        const { ok, message } = heard('ack', payload);
        if (
          !ok ||
          message.session !== this.#lane.session ||
          message.epoch !== this.#epoch ||
          message.upTo <= this.#acked
        )
          return;
        this.#acked = Math.min(message.upTo, this.#log.events.length);
        this.#sent = Math.max(this.#sent, this.#acked);
        this.#progressMs = this.#clock.monotonicMs();
        return this.#pump();
      }
      case 'reset': {
        const { ok, message } = heard('reset', payload);
        if (ok && message.session === this.#lane.session) this.#greet(newId());
      }
    }
  }

  #pump(): void {
    const { session } = this.#lane;
    if (session === null) return;
    const horizon = this.#acked + this.#config.windowBatches * batchMaxEvents;
    while (this.#sent < this.#log.events.length && this.#sent < horizon) {
      if (this.#sent === this.#acked) this.#progressMs = this.#clock.monotonicMs();
      const first = this.#sent + 1;
      const events = this.#log.events.slice(this.#sent, Math.min(this.#sent + batchMaxEvents, horizon));
      this.#publish('events', encodeBatch({ session, epoch: this.#epoch, first, events }));
      this.#sent += events.length;
    }
  }

  #sendState(beat: boolean): void {
    if (!this.#session) return;
    this.#changed = false;
    this.#publish('state', encode('state', this.#state(beat)));
  }

  #state(beat: boolean): Omit<StationState, 'v'> {
    const last = this.#log.events.length;
    return {
      epoch: this.#epoch,
      seq: last,
      at: this.#clock.wallMs(),
      nonce: this.#lane.nonce,
      clock: 'set',
      reportIntervalS: this.#config.reportIntervalS,
      ...(beat ? { beat } : {}),
      ...this.#log.live(),
      agent: {
        version: 'fleet',
        uptimeS: Math.round((this.#clock.monotonicMs() - this.#startMs) / 1000),
        outboxRows: last - this.#acked,
        oldestUnackedAt: null,
        diskFreePct: null,
        bytesWrittenToday: null,
      },
    };
  }

  #publish(channel: Channel, payload: Buffer): void {
    this.#session?.publish({
      topic: topicOf(this.#config.station, channel),
      payload,
      retain: retainedChannels.has(channel),
    });
  }
}

function heard<C extends 'welcome' | 'ack' | 'reset'>(channel: C, payload: Uint8Array) {
  const decoded = decode(channel, payload);
  return decoded.ok ? decoded : { ok: false as const, message: null };
}

/** Truly random, whatever the seed: an epoch is never used twice. */
function newId(): string {
  return randomBytes(16).toString('hex');
}
