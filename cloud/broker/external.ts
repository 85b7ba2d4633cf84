import { type Clock, sleep } from '../../protocol/host/clock.ts';
import type { Logger } from '../../protocol/host/log.ts';
import type { MessageSession, OpenSession, Received } from '../../protocol/host/session.ts';
import { type DownChannel, isUpChannel, parseTopic, topicOf, upChannels } from '../../protocol/topics.ts';
import type { CloudBroker, TakeUplink } from './uplink.ts';

export type ExternalConfig = {
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  ca?: string | undefined;
};

export type ExternalIo = {
  clock: Clock;
  random: () => number;
  log: Logger;
  openSession: OpenSession;
  take: TakeUplink;
};

const retryMs = 2000;
/** A stop waits for a connection that is being made: this has to be well within the time that it has. */
const connectTimeoutMs = 5000;

/**
 * The cloud as a client of a broker that others run (mosquitto, EMQX). That broker authenticates
 * the stations and keeps each to its own topics; the README says how. The session is a clean one:
 * what arrives while the cloud is away is sent again by the stations.
 */
export class ExternalBroker implements CloudBroker {
  readonly #config: ExternalConfig;
  readonly #io: ExternalIo;
  readonly #stopping = new AbortController();
  readonly #stopped = new Promise<null>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  readonly #running: Promise<void>;
  #session: MessageSession | null = null;

  constructor(config: ExternalConfig, io: ExternalIo) {
    this.#config = config;
    this.#io = io;
    this.#running = this.#stayConnected();
  }

  send(station: string, channel: DownChannel, payload: Buffer): void {
    this.#session?.publish({ topic: topicOf(station, channel), payload, retain: false });
  }

  /** The broker alone can end a station's connection: its operator has to take the password away. */
  disconnect(station: string): void {
    this.#io.log.warn({ station }, 'station removed: take its password away at the external broker too');
  }

  /** Its operator's business. */
  async recheck(): Promise<void> {}

  connected(): boolean {
    return this.#session !== null;
  }

  connections(): null {
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#session?.close();
    await this.#running;
  }

  async #stayConnected(): Promise<void> {
    const { clock, random, log } = this.#io;
    while (!this.#stopping.signal.aborted) {
      const reason = await this.#connectOnce().catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      this.#session = null;
      if (this.#stopping.signal.aborted) return;
      log.warn({ url: this.#config.url, reason }, 'external broker is gone');
      await sleep(clock, retryMs * (0.5 + random()), this.#stopping.signal);
    }
  }

  async #connectOnce(): Promise<string> {
    const { url, username, password, ca } = this.#config;
    const opening = this.#io.openSession({
      url,
      clientId: `yizhan-cloud-${Math.floor(this.#io.random() * 2 ** 32).toString(16)}`,
      username,
      password,
      ca,
      mqttVersion: '3.1.1',
      keepaliveS: 30,
      connectTimeoutMs,
      subscriptions: upChannels.map((channel) => `stations/+/${channel}`),
      onMessage: (message) => this.#receive(message),
    });
    const session = await Promise.race([opening, this.#stopped]);
    if (session === null) {
      // Nobody waits for a broker that does not answer: what still comes of it is dropped.
      void opening.then(
        (late) => late.abort(),
        () => {},
      );
      return 'stopped';
    }
    this.#session = session;
    this.#io.log.info({ url }, 'external broker connected');
    return session.closed;
  }

  #receive({ topic, payload, retained }: Received): void {
    const address = parseTopic(topic);
    if (!address || !isUpChannel(address.channel)) return;
    const { station, channel } = address;
    // Without room the message is taken all the same: this client cannot hold the broker back.
    void this.#io.take({
      station,
      channel,
      payload,
      retained,
      reply: (down, bytes) => this.send(station, down, bytes),
    });
  }
}
