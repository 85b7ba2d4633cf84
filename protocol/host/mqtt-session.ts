import mqtt, { ErrorWithSubackPacket, type IClientOptions, type MqttClient } from 'mqtt';
import { LinkError, type MessageSession, type OpenSession, type SessionOptions } from './session.ts';

/** MQTT 5: another client took this one's identity. */
const sessionTakenOver = 0x8e;

/**
 * A session by MQTT.js with every queue of its own off: its store loses messages when it is asked
 * to keep them (README, "Decisions"), so it only ever carries what is published while connected.
 */
export const openMqttSession: OpenSession = async (options) => {
  const client = mqtt.connect(options.url, clientOptions(options));
  const closed = whenClosed(client);
  client.on('message', (topic, payload, packet) => options.onMessage({ topic, payload, retained: packet.retain }));
  await connected(client, closed);
  if (options.subscriptions.length > 0) await subscribed(client, options.subscriptions);
  return sessionOf(client, closed);
};

function clientOptions(options: SessionOptions): IClientOptions {
  const { username, password, will, ca } = options;
  return {
    clientId: options.clientId,
    protocolVersion: options.mqttVersion === '5' ? 5 : 4,
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // Its cache of 65,536 small buffers costs a board 7 MB and saves it nothing.
    writeCache: false,
    connectTimeout: options.connectTimeoutMs,
    keepalive: options.keepaliveS,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    ...(will ? { will: { topic: will.topic, payload: will.payload, qos: 1 as const, retain: will.retain } } : {}),
  };
}

/** Settles once the socket is gone, with the most telling reason that was seen before. */
function whenClosed(client: MqttClient): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let reason = 'connection closed';
  client.on('error', (error) => {
    reason = error.message || ('code' in error ? String(error.code) : reason);
  });
  client.on('disconnect', (packet) => {
    reason =
      packet.reasonCode === sessionTakenOver
        ? 'session taken over'
        : `disconnected by the broker (${packet.reasonCode ?? 'no reason'})`;
  });
  client.once('close', () => {
    // Over is over, whatever MQTT.js may come to think of reconnecting.
    client.end(true);
    resolve(reason);
  });
  return promise;
}

async function connected(client: MqttClient, closed: Promise<string>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<'connected'>();
  client.once('connect', () => resolve('connected'));
  const outcome = await Promise.race([promise, closed.then((reason) => ({ reason }))]);
  if (outcome !== 'connected') throw new LinkError(outcome.reason);
}

async function subscribed(client: MqttClient, topics: readonly string[]): Promise<void> {
  try {
    await client.subscribeAsync([...topics], { qos: 1 });
  } catch (cause) {
    client.end(true);
    const refused = refusedTopics(cause, topics);
    const what = refused.length > 0 ? `refused: ${refused.join(', ')}` : `failed: ${reasonOf(cause)}`;
    throw new LinkError(`subscription ${what}`, { cause });
  }
}

/** The broker's answer has a code for each topic, in their order; from 128 on they are refusals. */
function refusedTopics(cause: unknown, topics: readonly string[]): string[] {
  const codes = cause instanceof ErrorWithSubackPacket ? (cause.packet?.granted ?? []) : [];
  return topics.filter((_topic, index) => Number(codes[index] ?? 0) >= 128);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function sessionOf(client: MqttClient, closed: Promise<string>): MessageSession {
  return {
    closed,
    publish({ topic, payload, retain }) {
      // A publish that fails with its connection is not an error of the sender: the lane resends.
      if (client.connected) client.publish(topic, payload, { qos: 1, retain }, () => {});
    },
    queuedBytes: () => client.stream.writableLength,
    async close() {
      // What a broker no longer acknowledges would keep MQTT.js waiting after the connection is gone.
      await Promise.race([client.endAsync(false), closed]);
    },
    abort() {
      client.stream.destroy();
    },
  };
}
