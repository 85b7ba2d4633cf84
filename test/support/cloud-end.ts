import { connectAsync } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { Messages } from '../../protocol/messages.ts';
import { type DownChannel, parseTopic, topicOf, type UpChannel } from '../../protocol/topics.ts';
import { waitFor } from './wait.ts';

export type Heard = { channel: UpChannel; body: Record<string, unknown>; retained: boolean };
type Hello = Messages['hello'];
type Events = Messages['events'];

/** The other end of a station's connection, by hand: hears everything, answers what it is told to answer. */
export type CloudEnd = {
  /** Everything that the station said, in its order. */
  heard: Heard[];
  of: <C extends UpChannel>(channel: C) => Messages[C][];
  /** Waits for the n-th message of a channel. */
  nth: <C extends UpChannel>(channel: C, n: number) => Promise<Messages[C]>;
  say: (channel: DownChannel, body: object) => Promise<void>;
  sayBytes: (channel: DownChannel, bytes: string | Buffer) => Promise<void>;
  welcome: (hello: Pick<Hello, 'nonce' | 'epochs'>) => Promise<void>;
  ack: (events: Pick<Events, 'session' | 'epoch'>, upTo: number) => Promise<void>;
  /** What it has of each epoch; a welcome tells it. */
  upTo: Map<string, number>;
  /** What is answered by itself; a test that wants to answer by hand turns it off. */
  answers: { hello: boolean; events: boolean };
  session: string;
  nowMs: () => number;
};

export async function startCloudEnd(
  url: string,
  station: string,
  options: { answers?: Partial<CloudEnd['answers']>; nowMs?: () => number } = {},
): Promise<CloudEnd> {
  const client = await connectAsync(url, { clientId: 'cloud-end', reconnectPeriod: 0 });
  onTestFinished(() => void client.end(true));
  // What a test that ends cuts off is no error.
  const sayBytes = (channel: DownChannel, bytes: string | Buffer): Promise<void> =>
    new Promise((resolve) => client.publish(topicOf(station, channel), bytes, { qos: 1 }, () => resolve()));
  const cloud: CloudEnd = {
    heard: [],
    of: (channel) => cloud.heard.filter((heard) => heard.channel === channel).map(({ body }) => body as never),
    nth: (channel, n) => waitFor(`${channel} ${n}`, () => cloud.of(channel)[n - 1]),
    say: (channel, body) => sayBytes(channel, JSON.stringify({ v: 1, ...body })),
    sayBytes,
    welcome: ({ nonce, epochs }) =>
      cloud.say('welcome', {
        nonce,
        session: cloud.session,
        now: cloud.nowMs(),
        epochs: epochs.map(({ id }) => ({ id, upTo: cloud.upTo.get(id) ?? 0 })),
      }),
    ack: ({ session, epoch }, upTo) => cloud.say('ack', { session, epoch, upTo, now: cloud.nowMs() }),
    upTo: new Map(),
    answers: { hello: true, events: true, ...options.answers },
    session: 'session-1',
    nowMs: options.nowMs ?? Date.now,
  };
  client.on('message', (topic, payload, { retain }) => {
    const channel = parseTopic(topic)?.channel as UpChannel;
    const body = JSON.parse(payload.toString('utf8'));
    cloud.heard.push({ channel, body, retained: retain });
    if (channel === 'hello' && cloud.answers.hello) void cloud.welcome(body);
    if (channel === 'events' && cloud.answers.events) {
      const upTo = endOf(body);
      cloud.upTo.set(body.epoch, Math.max(cloud.upTo.get(body.epoch) ?? 0, upTo));
      void cloud.ack(body, upTo);
    }
  });
  const up: UpChannel[] = ['presence', 'hello', 'state', 'events', 'replies'];
  await client.subscribeAsync(
    up.map((channel) => topicOf(station, channel)),
    { qos: 1 },
  );
  return cloud;
}

/** The last sequence that a batch stands for. */
export function endOf({ first, events }: Pick<Events, 'first' | 'events'>): number {
  return events.reduce<number>((last, event) => {
    const { kind, to } = event as { kind: string; to?: number };
    return kind === 'gap' ? (to ?? last) : last + 1;
  }, first - 1);
}
