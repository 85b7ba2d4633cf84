import { decode, encode } from '../../protocol/codec.ts';
import { type Clock, sleep } from '../../protocol/host/clock.ts';
import type { Logger } from '../../protocol/host/log.ts';
import type { MessageSession, OpenSession, Outgoing, Received } from '../../protocol/host/session.ts';
import type { Command, Messages } from '../../protocol/messages.ts';
import type { StationState } from '../../protocol/state.ts';
import { downChannels, parseTopic, retainedChannels, topicOf, type UpChannel } from '../../protocol/topics.ts';
import { type BackoffConfig, backoffMs } from '../core/backoff.ts';
import { DurableLane, type DurableLaneConfig, type DurableLaneIo } from './durable-lane.ts';
import { type StateLane, startStateLane } from './state-lane.ts';

export type LinkConfig = DurableLaneConfig & {
  station: string;
  url: string;
  username: string;
  password: string;
  mqttVersion: '3.1.1' | '5';
  keepaliveS: number;
  ca: string | undefined;
  reportIntervalMs: number;
  backoff: BackoffConfig & { stableMs: number };
};

export type LinkIo = Omit<DurableLaneIo, 'publish' | 'overrun'> & {
  clock: Clock;
  openSession: OpenSession;
  log: Logger;
  /** The whole live state, with the nonce of the connection that carries it. */
  state: (nonce: string, beat: boolean) => StationState;
  command: (command: Command) => Promise<Omit<Messages['replies'], 'v'>>;
};

const connectTimeoutMs = 20_000;
/** A network that takes nothing gets no more states on top of this. */
const maxQueuedBytes = 512 * 1024;
const closeTimeoutMs = 1000;
const drainLookMs = 20;
const maxWaitingCommands = 16;

/** Keeps the station connected, and both lanes on the connection: what is true now, and what was. */
export class Link {
  readonly #config: LinkConfig;
  readonly #io: LinkIo;
  readonly #stopping = new AbortController();
  readonly #live: StateLane;
  readonly #durable: DurableLane;
  readonly #running: Promise<void>;
  #connection: { session: MessageSession; nonce: string } | null = null;
  /** Commands run one after the other, beside the lanes. */
  #commands: Promise<void> = Promise.resolve();
  #waitingCommands = 0;

  constructor(config: LinkConfig, io: LinkIo) {
    this.#config = config;
    this.#io = io;
    this.#durable = new DurableLane(config, {
      ...io,
      publish: (channel, payload) => this.#publish(channel, payload),
      overrun: () => this.#connection?.session.abort(),
    });
    this.#live = startStateLane(io.clock, config.reportIntervalMs, (beat) => this.#sendState(beat));
    this.#running = this.#stayConnected();
  }

  appended(epoch: string, last: number): void {
    this.#durable.step({ type: 'appended', epoch, last });
  }

  stateChanged(): void {
    this.#live.changed();
  }

  clockTrusted(set: boolean): void {
    this.#durable.step({ type: 'clock', set });
  }

  /** Asks the cloud where every kept epoch stands; what is covered for long enough is purged. */
  helloAgain(): void {
    this.#durable.step({ type: 'hello-again' });
  }

  /** Resolves with true once all is acknowledged, with false when the time or the connection is over. */
  async drain(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#io;
    const endMs = clock.monotonicMs() + timeoutMs;
    while (this.#connection && clock.monotonicMs() < endMs) {
      if (this.#durable.drained) return true;
      await sleep(clock, drainLookMs);
    }
    return false;
  }

  /** Says goodbye, lets what was sent leave, and disconnects. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#live.stop();
    this.#durable.stop();
    const connection = this.#connection;
    if (connection) {
      this.#publish('presence', encode('presence', { online: false, nonce: connection.nonce }));
      const cancelAbort = this.#io.clock.after(closeTimeoutMs, () => connection.session.abort());
      await Promise.race([connection.session.close(), connection.session.closed]);
      cancelAbort();
    }
    await this.#running;
  }

  async #stayConnected(): Promise<void> {
    const { clock, random, log } = this.#io;
    const { backoff } = this.#config;
    const { signal } = this.#stopping;
    let attempt = 0;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      const reason = await this.#connectOnce().catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (signal.aborted) return;
      // Two boards with one identity take the session from each other: short ones keep backing off.
      if (clock.monotonicMs() - startMs >= backoff.stableMs) attempt = 0;
      const retryMs = backoffMs(attempt, random(), backoff);
      attempt += 1;
      log.warn({ reason, retryMs }, 'link is down');
      await sleep(clock, retryMs, signal);
    }
  }

  async #connectOnce(): Promise<string> {
    const { station, url, username, password, mqttVersion, keepaliveS, ca } = this.#config;
    const { clock, newToken, openSession, outbox, log } = this.#io;
    const nonce = newToken();
    const opening = openSession({
      url,
      clientId: `${station}-${outbox.instance.slice(0, 8)}`,
      username,
      password,
      mqttVersion,
      keepaliveS,
      connectTimeoutMs,
      ca,
      will: this.#outgoing('presence', encode('presence', { online: false, nonce })),
      subscriptions: downChannels.map((channel) => topicOf(station, channel)),
      onMessage: (message) => this.#receive(message, clock.monotonicMs()),
    });
    const session = await unlessAborted(opening, this.#stopping.signal);
    if (!session) return 'stopped';
    this.#connection = { session, nonce };
    log.info({ url }, 'link is up');
    this.#publish('presence', encode('presence', { online: true, nonce }));
    this.#durable.connected(nonce);
    this.#live.connected();
    const reason = await session.closed;
    this.#connection = null;
    this.#durable.step({ type: 'disconnected' });
    return reason;
  }

  #receive({ topic, payload }: Received, atMs: number): void {
    const address = parseTopic(topic);
    if (address?.station !== this.#config.station) return;
    switch (address.channel) {
      case 'welcome':
        return this.#heard('welcome', topic, payload, (welcome) => this.#durable.welcome(welcome, atMs));
      case 'ack':
        return this.#heard('ack', topic, payload, (ack) => this.#durable.ack(ack, atMs));
      case 'reset':
        return this.#heard('reset', topic, payload, ({ session }) => this.#durable.step({ type: 'reset', session }));
      case 'commands':
        return this.#heard('commands', topic, payload, (command) => this.#obey(command));
      default:
        this.#io.log.debug({ topic }, 'message is not used by this version');
    }
  }

  #heard<C extends 'welcome' | 'ack' | 'reset' | 'commands'>(
    channel: C,
    topic: string,
    payload: Uint8Array,
    take: (message: Messages[C]) => void,
  ): void {
    const decoded = decode(channel, payload);
    if (decoded.ok) return take(decoded.message);
    this.#io.log.warn({ topic, cause: decoded.cause, detail: decoded.detail }, 'message from the cloud refused');
  }

  /** The cloud sends a command until it is answered: one that finds no place comes again. */
  #obey(command: Command): void {
    if (this.#waitingCommands >= maxWaitingCommands) return;
    this.#waitingCommands += 1;
    const answer = async (): Promise<void> => {
      if (!this.#stopping.signal.aborted) this.#publish('replies', encode('replies', await this.#io.command(command)));
      this.#waitingCommands -= 1;
    };
    this.#commands = this.#commands.then(answer).catch(this.#io.failed);
  }

  #sendState(beat: boolean): boolean {
    const connection = this.#connection;
    if (!connection || connection.session.queuedBytes() > maxQueuedBytes) return false;
    try {
      return this.#publish('state', encode('state', this.#io.state(connection.nonce, beat)));
    } catch (error) {
      this.#io.failed(error);
      return false;
    }
  }

  #publish(channel: UpChannel, payload: Buffer): boolean {
    this.#connection?.session.publish(this.#outgoing(channel, payload));
    return this.#connection !== null;
  }

  #outgoing(channel: UpChannel, payload: Buffer): Outgoing {
    return { topic: topicOf(this.#config.station, channel), payload, retain: retainedChannels.has(channel) };
  }
}

/** A broker that does not answer holds up no stop: what comes of it later is dropped. Null once `signal` aborts. */
async function unlessAborted(opening: Promise<MessageSession>, signal: AbortSignal): Promise<MessageSession | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const stop = (): void => resolve(null);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const session = await Promise.race([promise, opening]).finally(() => signal.removeEventListener('abort', stop));
  if (session && !signal.aborted) return session;
  opening.then((late) => late.abort()).catch(() => {});
  return null;
}
