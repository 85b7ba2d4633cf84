import { every } from '../../protocol/host/clock.ts';
import type { MessageSession, OpenSession, Received } from '../../protocol/host/session.ts';
import type { BackoffConfig } from '../core/backoff.ts';
import type { Driver, DriverEvent, DriverIo } from './driver.ts';
import { reopenForever } from './reopen.ts';

export type LocalMqttConfig = {
  name: string;
  broker: string;
  username?: string | undefined;
  password?: string | undefined;
  /** Devices are asked for a reading this often; 0 never. */
  pollMs: number;
  backoff: BackoffConfig & { stableMs: number };
};

/** What one kind of gateway says and is asked: the pure part of a driver on the local broker. */
export type LocalMqttDialect = {
  subscriptions: readonly string[];
  /** What is published to ask every device for a reading. */
  polls: readonly { topic: string; payload: string }[];
  /** Total: any message gives events, none throws. */
  parse: (topic: string, payload: string, retained: boolean) => DriverEvent[];
};

/** Readings are small; a larger message is no device of ours. */
const maxPayloadBytes = 16 * 1024;

/** A driver over the station's local broker: connect, subscribe, poll, parse, reconnect. */
export function startLocalMqtt(
  config: LocalMqttConfig,
  dialect: LocalMqttDialect,
  openSession: OpenSession,
  io: DriverIo,
): Driver {
  const stopping = new AbortController();
  const running = reopenForever(
    (signal) => listen(config, dialect, openSession, io, signal),
    (reason) => io.emit({ type: 'closed', reason }),
    io,
    config.backoff,
    stopping.signal,
  );
  return {
    name: config.name,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

async function listen(
  config: LocalMqttConfig,
  dialect: LocalMqttDialect,
  openSession: OpenSession,
  io: DriverIo,
  signal: AbortSignal,
): Promise<string> {
  const opening = openSession({
    url: config.broker,
    clientId: `yizhan-${config.name}-${Math.floor(io.random() * 2 ** 32).toString(16)}`,
    username: config.username,
    password: config.password,
    mqttVersion: '3.1.1',
    keepaliveS: 30,
    connectTimeoutMs: 10_000,
    subscriptions: dialect.subscriptions,
    onMessage: (message) => {
      if (!signal.aborted) hear(message, dialect, io);
    },
  });
  const session = await unlessAborted(opening, signal);
  if (!session) return 'stopped';
  io.emit({ type: 'opened' });
  const stopPolling = config.pollMs > 0 ? every(io.clock, config.pollMs, () => poll(session, dialect)) : () => {};
  if (config.pollMs > 0) poll(session, dialect);
  const stop = (): void => session.abort();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    return await session.closed;
  } finally {
    stopPolling();
    signal.removeEventListener('abort', stop);
  }
}

/** A broker that does not answer holds up no stop: what comes of it later is dropped. Null once `signal` aborts. */
async function unlessAborted(opening: Promise<MessageSession>, signal: AbortSignal): Promise<MessageSession | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const stop = (): void => resolve(null);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const session = await Promise.race([opening, promise]).finally(() => signal.removeEventListener('abort', stop));
  if (session) return session;
  opening.then((late) => late.abort()).catch(() => {});
  return null;
}

function poll(session: MessageSession, dialect: LocalMqttDialect): void {
  for (const { topic, payload } of dialect.polls)
    session.publish({ topic, payload: Buffer.from(payload), retain: false });
}

function hear({ topic, payload, retained }: Received, dialect: LocalMqttDialect, io: DriverIo): void {
  if (payload.byteLength > maxPayloadBytes) {
    io.emit({ type: 'rejected', cause: 'too-large', detail: `${topic}: ${payload.byteLength} bytes` });
    return;
  }
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
  for (const event of dialect.parse(topic, text, retained)) io.emit(event);
}
