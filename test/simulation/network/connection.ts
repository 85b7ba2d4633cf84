import type { MessageSession, Outgoing, Received, SessionOptions } from '../../../protocol/host/session.ts';
import type { Life } from '../kernel/life.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { Uplink } from './uplink.ts';

type BrokerSide = {
  /** How long one message takes, ms. */
  delay: () => number;
  chance: () => number;
  /** A message leaves the client's process. */
  left: (message: Outgoing) => void;
  /** A message of the client reached the broker. */
  arrived: (message: Outgoing) => void;
  /** The broker let go of the connection, with or without its will. */
  gone: (willed: boolean) => void;
};

/** One connection of a client to the broker, both of its ends. Each direction keeps its order. */
export class Connection {
  readonly session: MessageSession;
  readonly options: SessionOptions;
  readonly #uplink: Uplink;
  readonly #life: Life;
  readonly #timeline: Timeline;
  readonly #broker: BrokerSide;
  readonly #closed = Promise.withResolvers<string>();
  readonly #forget: () => void;
  #clientOpen = true;
  #brokerOpen = true;
  #upAtMs = 0;
  #downAtMs = 0;
  #unsentBytes = 0;
  #deafSinceMs: number | null = null;

  constructor(options: SessionOptions, uplink: Uplink, life: Life, timeline: Timeline, broker: BrokerSide) {
    this.options = options;
    this.#uplink = uplink;
    this.#life = life;
    this.#timeline = timeline;
    this.#broker = broker;
    this.#forget = uplink.onChange(() => this.#linkChanged());
    life.onDeath(() => this.#clientDied());
    this.session = {
      closed: this.#closed.promise,
      publish: (message) => this.#publish(message),
      queuedBytes: () => this.#unsentBytes,
      close: () => this.#close(),
      abort: () => this.#dropped('aborted'),
    };
  }

  /** The broker hands a message down. */
  deliver(message: Received): void {
    if (!this.#brokerOpen) return;
    this.#downAtMs = Math.max(this.#downAtMs, this.#timeline.nowMs + this.#broker.delay());
    this.#timeline.after(this.#downAtMs - this.#timeline.nowMs, () => {
      if (!this.#clientOpen || !this.#uplink.hears) return;
      this.#life.run(() => {
        this.#life.enter();
        this.options.onMessage(message);
      });
    });
  }

  /** The broker ends it. */
  end(reason: string, willed: boolean): void {
    this.#endBroker(willed);
    this.#timeline.after(this.#broker.delay(), () => {
      if (this.#uplink.hears) this.#endClient(reason);
    });
  }

  #publish(message: Outgoing): void {
    this.#life.enter();
    if (!this.#clientOpen) return;
    this.#broker.left(message);
    if (!this.#uplink.sends) {
      this.#unsentBytes += message.payload.byteLength;
      return;
    }
    this.#upAtMs = Math.max(this.#upAtMs, this.#timeline.nowMs + this.#broker.delay());
    this.#timeline.after(this.#upAtMs - this.#timeline.nowMs, () => {
      // What was under way when the connection broke may or may not have arrived.
      if (this.#brokerOpen || this.#broker.chance() < 0.3) this.#broker.arrived(message);
    });
  }

  async #close(): Promise<void> {
    this.#life.enter();
    if (!this.#clientOpen) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const leftMs = Math.max(this.#upAtMs, this.#timeline.nowMs) - this.#timeline.nowMs;
    this.#timeline.after(leftMs, () => {
      if (this.#uplink.sends) this.#endBroker(false);
      this.#endClient('closed');
      this.#life.run(resolve);
    });
    return promise;
  }

  /** The client's end is gone without a word. */
  #dropped(reason: string): void {
    const arrives = this.#uplink.sends;
    this.#endClient(reason);
    if (arrives) this.#timeline.after(this.#broker.delay(), () => this.#endBroker(true));
    else this.#awaitTimeout();
  }

  #clientDied(): void {
    this.#clientOpen = false;
    this.#forget();
    // A killed process has its sockets closed; a machine without power says nothing.
    if (this.#uplink.sends) this.#timeline.after(this.#broker.delay(), () => this.#endBroker(true));
    else this.#awaitTimeout();
  }

  #linkChanged(): void {
    if (this.#uplink.state.kind === 'cut') {
      this.#timeline.after(this.#broker.delay(), () => this.#endClient('connection reset'));
      this.#awaitTimeout();
      return;
    }
    const deaf = !this.#uplink.sends || !this.#uplink.hears;
    if (!deaf) {
      this.#deafSinceMs = null;
      this.#unsentBytes = 0;
      return;
    }
    this.#deafSinceMs ??= this.#timeline.nowMs;
    const since = this.#deafSinceMs;
    this.#timeline.after(this.#keepaliveMs(), () => {
      if (this.#deafSinceMs !== since) return;
      this.#endClient('keepalive timeout');
      this.#endBroker(true);
    });
  }

  #awaitTimeout(): void {
    this.#timeline.after(this.#keepaliveMs(), () => this.#endBroker(true));
  }

  #keepaliveMs(): number {
    return this.options.keepaliveS * 1500;
  }

  #endBroker(willed: boolean): void {
    if (!this.#brokerOpen) return;
    this.#brokerOpen = false;
    this.#broker.gone(willed);
  }

  #endClient(reason: string): void {
    if (!this.#clientOpen) return;
    this.#clientOpen = false;
    this.#forget();
    this.#life.run(() => this.#closed.resolve(reason));
  }
}
