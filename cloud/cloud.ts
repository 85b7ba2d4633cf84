import { join } from 'node:path';
import { encode } from '../protocol/codec.ts';
import { CauseLog } from '../protocol/host/cause-log.ts';
import { type Cancel, type Clock, every } from '../protocol/host/clock.ts';
import type { Logger } from '../protocol/host/log.ts';
import type { OpenSession } from '../protocol/host/session.ts';
import { isDiskFull, StoreError } from '../protocol/host/sqlite.ts';
import { type EmbeddedBroker, startEmbeddedBroker } from './broker/embedded.ts';
import { ExternalBroker } from './broker/external.ts';
import type { CloudBroker, TakeUplink } from './broker/uplink.ts';
import type { CloudConfig } from './config.ts';
import { nation } from './core/regions.ts';
import type { HttpServer, StartHttp } from './feed/http.ts';
import { createMetrics } from './feed/metrics.ts';
import { StatusBoard } from './feed/status-board.ts';
import { Stream } from './feed/stream.ts';
import { Ingest } from './ingest/ingest.ts';
import { LiveBoard } from './ingest/live-board.ts';
import { steadyClock } from './steady-clock.ts';
import type { Store } from './store/store.ts';

/** Everything that the cloud touches of the world. */
export type CloudIo = {
  clock: Clock;
  random: () => number;
  newToken: () => string;
  log: Logger;
  openStore: (path: string) => Store;
  openSession: OpenSession;
  startHttp: StartHttp;
  /** Resolves after the input that is ready now was taken. */
  turn: () => Promise<void>;
};

/** Who writes to the store: the durable lane, and what goes beside it. */
type Writer = 'lane' | 'live' | 'register' | 'commands';

/**
 * Starts the whole cloud: store, ingest, broker, feed.
 *
 * @throws ConfigError where a port is taken
 * @throws StoreError where the store cannot be opened
 */
export async function startCloud(config: CloudConfig, io: CloudIo): Promise<Cloud> {
  await using started = new AsyncDisposableStack();
  const store = started.use(io.openStore(join(config.dataDir, 'cloud.db')));
  const cloud = new Cloud(config, io, store);
  started.defer(() => cloud.stop());
  await cloud.start();
  started.move();
  return cloud;
}

/** The parts of one cloud process, and the way of the data through them. */
export class Cloud implements AsyncDisposable {
  /** Resolves with the error once the store can no longer be trusted. */
  readonly failed: Promise<unknown>;
  readonly #fail: (error: unknown) => void;
  readonly #config: CloudConfig;
  readonly #io: CloudIo;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #live = new LiveBoard();
  readonly #board: StatusBoard;
  readonly #stream: Stream;
  readonly #ingest: Ingest;
  readonly #refusals: CauseLog;
  #broker: CloudBroker | null = null;
  #embedded: EmbeddedBroker | null = null;
  #http: HttpServer | null = null;
  #timers: Cancel[] = [];
  #removed = new Set<string>();
  /** Writers that found no room, and no room since. */
  readonly #full = new Set<Writer>();
  #changeMark = 0;

  constructor(config: CloudConfig, io: CloudIo, store: Store) {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.failed = promise;
    this.#fail = resolve;
    this.#config = config;
    this.#io = io;
    this.#store = store;
    const { log, newToken, turn } = io;
    const clock = steadyClock(io.clock, (byMs) => this.#clockJumped(byMs));
    this.#clock = clock;
    this.#refusals = new CauseLog(log.child({ component: 'audit' }), clock);
    const { maxClients, maxUnreadBytes, beatS, coalesceS } = config.feed;
    this.#board = new StatusBoard({
      clock,
      live: this.#live,
      coalesceMs: coalesceS * 1000,
      epoch: newToken()
        .toLowerCase()
        .replaceAll(/[^0-9a-z]/g, '0'),
    });
    this.#stream = new Stream({ maxClients, maxUnreadBytes, beatMs: beatS * 1000 }, clock, this.#board);
    this.#ingest = new Ingest(config.ingest, {
      clock,
      log: log.child({ component: 'ingest' }),
      refusals: this.#refusals,
      store,
      live: this.#live,
      newToken,
      turn,
      full: (isFull) => this.#setFull('lane', isFull),
      failed: this.#fail,
    });
  }

  get httpPort(): number {
    return this.#http?.port ?? this.#config.http.port;
  }

  /** Null where an external broker is used. */
  get mqttPort(): number | null {
    return this.#embedded?.port ?? null;
  }

  async start(): Promise<void> {
    const { log } = this.#io;
    const clock = this.#clock;
    this.#changeMark = await this.#store.changeMark();
    await this.#live.load(this.#store, this.#clock.wallMs());
    await this.#loadRegister();
    await this.#startBroker();
    const { watchS, commandsS } = this.#config;
    const { licence } = this.#config.feed;
    const metrics = createMetrics({
      ingest: this.#ingest,
      broker: this.#requireBroker(),
      store: this.#store,
      board: this.#board,
      stream: this.#stream,
      refusals: this.#refusals,
    });
    this.#http = await this.#io.startHttp(
      { ...this.#config.http, licence },
      {
        clock,
        log: log.child({ component: 'feed' }),
        store: this.#store,
        board: this.#board,
        live: this.#live,
        stream: this.#stream,
        metrics,
        health: () => this.#health(),
      },
    );
    this.#timers = [
      every(clock, this.#config.ingest.saveLiveS * 1000, () => this.#aside('live', this.#live.save(this.#store))),
      every(clock, watchS * 1000, () => this.#aside('register', this.#watch())),
      every(clock, commandsS * 1000, () => this.#aside('commands', this.#sendCommands())),
    ];
    log.info(
      {
        http: this.httpPort,
        mqtt: this.mqttPort,
        broker: this.#config.broker?.url,
        stations: this.#board.records(nation).length,
      },
      'cloud started',
    );
  }

  /** Ends the intake first, then commits what is there, then saves what is known live. */
  async stop(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#timers = [];
    await this.#broker?.[Symbol.asyncDispose]();
    await this.#ingest.stop();
    this.#stream.stop();
    await this.#http?.close();
    this.#board.stop();
    await this.#live
      .save(this.#store)
      .catch((error: unknown) => this.#io.log.error({ err: error }, 'live states not saved'));
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #startBroker(): Promise<void> {
    const take: TakeUplink = (uplink) => this.#ingest.take(uplink);
    const { random, log, openSession } = this.#io;
    if (this.#config.broker) {
      this.#broker = new ExternalBroker(this.#config.broker, {
        clock: this.#clock,
        random,
        log: log.child({ component: 'broker' }),
        openSession,
        take,
      });
      return;
    }
    const { loginTimeoutS, ...mqtt } = this.#config.mqtt;
    this.#embedded = await startEmbeddedBroker(
      { ...mqtt, connectTimeoutMs: loginTimeoutS * 1000 },
      { refusals: this.#refusals, credential: (station) => this.#store.credential(station), take },
    );
    this.#broker = this.#embedded;
  }

  /** Another process (`station add`, `station remove`, `command`) may have changed the store. */
  async #watch(): Promise<void> {
    const mark = await this.#store.changeMark();
    if (mark === this.#changeMark) return;
    this.#changeMark = mark;
    await this.#loadRegister();
    await this.#broker?.recheck();
    await this.#sendCommands();
  }

  async #loadRegister(): Promise<void> {
    const records = await this.#store.stations();
    this.#board.setRegister(records);
    const removed = new Set(records.filter((record) => record.removedAt !== null).map((record) => record.id));
    for (const station of removed) {
      if (this.#removed.has(station)) continue;
      this.#broker?.disconnect(station);
      this.#ingest.forget(station);
    }
    this.#removed = removed;
  }

  /** Until it is answered or expires a command is sent again: the station runs it at most once. */
  async #sendCommands(): Promise<void> {
    for (const { id, station, name, args, expires } of await this.#store.openCommands(this.#clock.wallMs())) {
      this.#broker?.send(station, 'commands', encode('commands', { id, name, args, expires }));
    }
  }

  /** What was stamped by the clock that was wrong moves with it: every age stays what it is. */
  #clockJumped(byMs: number): void {
    this.#io.log.warn({ byMs }, 'the clock of this machine jumped: ages are kept');
    this.#live.shift(byMs);
    this.#board.evaluateAll();
  }

  #health(): { ok: boolean; problems: string[] } {
    const problems = [
      ...(this.#full.size > 0 ? ['the disk is full: nothing is acknowledged, the stations keep their events'] : []),
      ...(this.#broker?.connected() ? [] : ['the broker is not connected']),
    ];
    return { ok: problems.length === 0, problems };
  }

  #setFull(writer: Writer, isFull: boolean): void {
    const before = this.#full.size > 0;
    if (isFull) this.#full.add(writer);
    else this.#full.delete(writer);
    const after = this.#full.size > 0;
    if (before === after) return;
    this.#io.log[after ? 'error' : 'info'](
      { isFull: after },
      after ? 'disk full: nothing is acknowledged' : 'disk has room again',
    );
  }

  /** Work beside the durable lane: a full disk postpones it, anything else ends the process. */
  #aside(writer: Writer, work: Promise<void>): void {
    work.then(
      () => this.#setFull(writer, false),
      (error: unknown) => {
        if (error instanceof StoreError && isDiskFull(error.cause)) this.#setFull(writer, true);
        else this.#fail(error);
      },
    );
  }

  #requireBroker(): CloudBroker {
    if (!this.#broker) throw new Error('the broker is started first');
    return this.#broker;
  }
}
