import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import { hashPassword } from '../../../cloud/broker/credentials.ts';
import { type EmbeddedBroker, type EmbeddedConfig, startEmbeddedBroker } from '../../../cloud/broker/embedded.ts';
import type { Uplink } from '../../../cloud/broker/uplink.ts';
import { CauseLog } from '../../../protocol/host/cause-log.ts';
import { downChannels, topicOf } from '../../../protocol/topics.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../../support/log.ts';

export const ours = 'tunxi-laojie';
export const other = 'tunxi-xinjie';
export const password = 'right';

export type Taken = { station: string; channel: string; text: string; retained: boolean };

export type EmbeddedRig = {
  broker: EmbeddedBroker;
  port: number;
  clock: FakeClock;
  taken: Taken[];
  uplinks: Uplink[];
  /** What the log has of refusals. */
  refused: LogLine[];
  counts: () => Record<string, number>;
  /** What `take` answers: a promise holds the sender back. */
  room: { next: () => Promise<void> | undefined };
  /** Stations that may log in, all by the same password. */
  known: Set<string>;
  /** What happens right after a credential was looked up. */
  lookup: { after: () => void };
  connect: (options?: ClientOptions) => Promise<MqttClient>;
};

const limits: EmbeddedConfig = {
  host: '127.0.0.1',
  port: 0,
  tls: null,
  maxConnections: 100,
  connectTimeoutMs: 10_000,
  maxPreAuthBytes: 16 * 1024,
  maxFrameBytes: 128 * 1024,
  maxUnreadBytes: 1024 * 1024,
};

/** The embedded broker with two stations that may log in; what they say is written down. */
export async function openEmbedded(given: Partial<EmbeddedConfig> = {}): Promise<EmbeddedRig> {
  const clock = new FakeClock();
  const { log, lines } = memoryLog();
  const refusals = new CauseLog(log, clock);
  const credential = hashPassword(password);
  const known = new Set([ours, other]);
  const taken: Taken[] = [];
  const uplinks: Uplink[] = [];
  const lookup = { after: () => {} };
  const room: EmbeddedRig['room'] = { next: () => undefined };
  const broker = await startEmbeddedBroker(
    { ...limits, ...given },
    {
      refusals,
      async credential(station) {
        const found = known.has(station) ? credential : null;
        lookup.after();
        return found;
      },
      take(uplink) {
        const { station, channel, payload, retained } = uplink;
        uplinks.push(uplink);
        taken.push({ station, channel, text: Buffer.from(payload).toString(), retained });
        return room.next();
      },
    },
  );
  onTestFinished(() => broker[Symbol.asyncDispose]());
  return {
    broker,
    port: broker.port,
    clock,
    taken,
    uplinks,
    refused: lines,
    counts: () => ({ ...refusals.counts() }),
    room,
    known,
    lookup,
    connect: (options = {}) => connect(`mqtt://127.0.0.1:${broker.port}`, options),
  };
}

/** Null: without it. */
type Login = { username?: string | null; password?: string | null };
export type ClientOptions = Omit<IClientOptions, keyof Login> & Login;

/** A real client, logged in as the first station unless it is told otherwise; ended with the test. */
export async function connect(url: string, options: ClientOptions = {}): Promise<MqttClient> {
  const { username = ours, password: secret = password, ...rest } = options;
  const login = { ...(username === null ? {} : { username }), ...(secret === null ? {} : { password: secret }) };
  const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 10_000, ...rest, ...login });
  client.on('error', () => {});
  onTestFinished(() => void client.end(true));
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
}

export type Downlink = { channel: string; text: string };

/** Subscribes to all that a station may, and writes down what comes. */
export async function listen(client: MqttClient, station: string): Promise<Downlink[]> {
  const heard: Downlink[] = [];
  client.on('message', (topic, payload) =>
    heard.push({ channel: topic.split('/')[2] ?? '', text: payload.toString() }),
  );
  await client.subscribeAsync(
    downChannels.map((channel) => topicOf(station, channel)),
    { qos: 1 },
  );
  return heard;
}

/** Resolves once the broker ended the connection. */
export function ended(client: MqttClient): Promise<boolean> {
  return new Promise((resolve) => (client.disconnected ? resolve(true) : client.once('close', () => resolve(true))));
}
