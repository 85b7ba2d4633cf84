import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Aedes, Client, PublishPacket, Subscription } from 'aedes';
import type { CauseLog } from '../../protocol/host/cause-log.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { stationIdSchema } from '../../protocol/ids.ts';
import { type DownChannel, isUpChannel, mayPublish, maySubscribe, parseTopic, topicOf } from '../../protocol/topics.ts';
import type { Credential } from '../store/store.ts';
import { isPassword } from './credentials.ts';
import { guardReads, type SocketLimits } from './guarded-socket.ts';
import { StationAedes } from './station-aedes.ts';
import type { CloudBroker, TakeUplink } from './uplink.ts';

export type EmbeddedConfig = SocketLimits & {
  host: string;
  port: number;
  tls: { cert: string; key: string } | null;
  maxConnections: number;
  /** Time in which a connection has to authenticate, ms. */
  connectTimeoutMs: number;
  /** Bytes that a station may leave unread before it is disconnected. */
  maxUnreadBytes: number;
};

export type EmbeddedIo = {
  refusals: CauseLog;
  credential: (station: string) => Promise<Credential | null>;
  take: TakeUplink;
};

/** MQTT 3.1.1 §3.2.2.3. */
const badUserNameOrPassword = 4;

/** A station has one connection; one that it lost may linger, and a second board has its own. */
const maxConnectionsPerStation = 8;

const nothing = Buffer.alloc(0);

type Done = (error?: Error | null) => void;

/**
 * Starts the MQTT broker inside the cloud process.
 *
 * @throws ConfigError where the port is taken, or the certificate and its key are none
 */
export async function startEmbeddedBroker(config: EmbeddedConfig, io: EmbeddedIo): Promise<EmbeddedBroker> {
  await using started = new AsyncDisposableStack();
  const broker = started.use(newBroker(config, io));
  await broker.start();
  started.move();
  return broker;
}

function newBroker(config: EmbeddedConfig, io: EmbeddedIo): EmbeddedBroker {
  try {
    return new EmbeddedBroker(config, io);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError('mqtt', [`certFile, keyFile: expected a certificate and its key as PEM: ${reason}`], {
      cause,
    });
  }
}

/**
 * MQTT 3.1.1 by aedes. A station speaks as itself, to the cloud alone: its messages go to the
 * ingest, nothing is forwarded between stations, and no session outlives its connection.
 */
export class EmbeddedBroker implements CloudBroker {
  readonly #config: EmbeddedConfig;
  readonly #io: EmbeddedIo;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stationOf = new WeakMap<Client, string>();
  readonly #hashOf = new WeakMap<Client, string>();
  readonly #clients = new Map<string, Set<Client>>();
  #aedes: Aedes | null = null;

  constructor(config: EmbeddedConfig, io: EmbeddedIo) {
    this.#config = config;
    this.#io = io;
    const accept = (socket: Socket): void => this.#accept(socket);
    const handshakeTimeout = config.connectTimeoutMs;
    this.#server = config.tls ? createTlsServer({ ...config.tls, handshakeTimeout }, accept) : createServer(accept);
    // A handshake whose time is over is told of here, and stays open.
    this.#server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
    // Before `accept`, which hears of a TLS connection only once its handshake is done.
    this.#server.prependListener('connection', (socket: Socket) => this.#count(socket));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : this.#config.port;
  }

  async start(): Promise<void> {
    const aedes = new StationAedes({
      id: 'yizhan',
      connectTimeout: this.#config.connectTimeoutMs,
      maxTopicLevels: 4,
      preConnect: (_client, packet, done) => {
        // The outbox is the stations' memory; a session kept here would be a second, worse one.
        packet.clean = true;
        // A connection takes over one of the same client id: its own station's, never another's.
        if (packet.clientId !== '') packet.clientId = `${packet.username}/${packet.clientId}`;
        done(null, true);
      },
      authenticate: (client, username, password, done) => {
        const refuse = (): void =>
          done(Object.assign(new Error('login refused'), { returnCode: badUserNameOrPassword }), null);
        this.#authenticate(client, username, password).then((known) => (known ? done(null, true) : refuse()), refuse);
      },
      authorizePublish: (client, packet, done) => this.#authorizePublish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => this.#authorizeSubscribe(client, subscription, done),
    });
    aedes.on('clientReady', (client: Client) => this.#ready(client));
    aedes.on('clientDisconnect', (client: Client) => this.#gone(client));
    // Broken connections are the stations' to mend; without a listener they would end the process.
    aedes.on('clientError', () => {});
    aedes.on('connectionError', () => {});
    await aedes.listen();
    this.#aedes = aedes;
    await this.#listen();
  }

  send(station: string, channel: DownChannel, payload: Buffer): void {
    for (const client of this.#clients.get(station) ?? []) this.#publishTo(client, station, channel, payload);
  }

  disconnect(station: string): void {
    for (const client of this.#clients.get(station) ?? []) client.close();
  }

  async recheck(): Promise<void> {
    for (const [station, clients] of this.#clients) {
      const credential = await this.#io.credential(station);
      for (const client of clients) if (this.#hashOf.get(client) !== credential?.hash) client.close();
    }
  }

  connected(): boolean {
    return this.#server.listening;
  }

  connections(): number {
    let count = 0;
    for (const clients of this.#clients.values()) count += clients.size;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await new Promise<void>((resolve) => (this.#aedes ? this.#aedes.close(resolve) : resolve()));
    for (const socket of this.#sockets) socket.destroy();
  }

  #count(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    if (this.#sockets.size <= this.#config.maxConnections) return;
    this.#io.refusals.note('too many connections', { limit: this.#config.maxConnections }, 'connection refused');
    socket.destroy();
  }

  #accept(socket: Socket): void {
    if (socket.destroyed) return;
    socket.on('error', () => {});
    socket.setNoDelay(true);
    const refused = (why: string): void =>
      this.#io.refusals.note(`flood ${why}`, { why, from: socket.remoteAddress }, 'connection refused');
    guardReads(socket, this.#config, () => client?.connected ?? false, refused);
    const client = this.#aedes?.handle(socket);
  }

  async #authenticate(client: Client, username: string | undefined, password: Buffer | undefined): Promise<boolean> {
    const wellFormed = username !== undefined && stationIdSchema.safeParse(username).success;
    const credential = wellFormed ? await this.#io.credential(username) : null;
    if (wellFormed && password !== undefined && credential && isPassword(credential, password)) {
      this.#stationOf.set(client, username);
      this.#hashOf.set(client, credential.hash);
      return true;
    }
    const cause = username === undefined ? 'anonymous' : credential ? 'wrong password' : 'unknown station';
    // Not by name: whoever invents names would fill the log and crowd out every other cause.
    this.#io.refusals.note(`login: ${cause}`, { cause, username: username?.slice(0, 64) }, 'login refused');
    return false;
  }

  #authorizePublish(client: Client | null, packet: PublishPacket, done: Done): void {
    const station = client ? this.#stationOf.get(client) : undefined;
    const address = parseTopic(packet.topic);
    if (
      !client ||
      station === undefined ||
      !address ||
      !isUpChannel(address.channel) ||
      !mayPublish(station, packet.topic)
    ) {
      return this.#refuse(station, 'publish', packet.topic, done);
    }
    // Nobody but the cloud reads these: what it took is not kept here a second time.
    packet.retain = false;
    const { channel } = address;
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    packet.payload = nothing;
    const reply = (down: DownChannel, bytes: Buffer): void => this.#publishTo(client, station, down, bytes);
    const room = this.#io.take({ station, channel, payload, retained: false, reply });
    if (room) void room.then(() => done());
    else done();
  }

  #authorizeSubscribe(
    client: Client,
    subscription: Subscription,
    done: (error: Error | null, subscription?: Subscription | null) => void,
  ): void {
    const station = this.#stationOf.get(client);
    if (station !== undefined && maySubscribe(station, subscription.topic)) return done(null, subscription);
    this.#refuse(station, 'subscribe', subscription.topic, (error) => done(error ?? null));
  }

  #refuse(station: string | undefined, action: string, topic: string, done: Done): void {
    this.#io.refusals.note(
      `${action} ${station ?? ''}`,
      { station, action, topic: topic.slice(0, 100) },
      'not allowed to this station',
    );
    done(new Error(`${action} not allowed`));
  }

  #ready(client: Client): void {
    const station = this.#stationOf.get(client);
    if (station === undefined) return;
    const clients = this.#clients.get(station) ?? new Set();
    this.#clients.set(station, clients.add(client));
    if (clients.size > maxConnectionsPerStation) [...clients][0]?.close();
    // Revoked while it logged in: `disconnect` did not know it yet.
    const refuse = (): void => client.close();
    this.#io.credential(station).then((known) => known ?? refuse(), refuse);
  }

  #gone(client: Client): void {
    const station = this.#stationOf.get(client);
    const clients = station === undefined ? undefined : this.#clients.get(station);
    clients?.delete(client);
    if (station !== undefined && clients?.size === 0) this.#clients.delete(station);
  }

  #listen(): Promise<void> {
    const { host, port } = this.#config;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const problem =
          cause.code === 'EADDRINUSE' ? `port ${port} is taken: choose another with --mqtt-port` : cause.message;
        reject(new ConfigError('mqtt', [problem], { cause }));
      });
      this.#server.listen(port, host, resolve);
    });
  }

  /** What a station does not read stays in this process: beyond the bound it has to connect again. */
  #publishTo(client: Client, station: string, channel: DownChannel, payload: Buffer): void {
    if (client.closed) return;
    if (client.conn.writableLength > this.#config.maxUnreadBytes) {
      this.#io.refusals.note(
        'unread',
        { station, unread: client.conn.writableLength },
        'station does not read: disconnected',
      );
      client.close();
      return;
    }
    const topic = topicOf(station, channel);
    client.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => {});
  }
}
