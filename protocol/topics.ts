import { stationIdPattern } from './ids.ts';
import type { Messages } from './messages.ts';

export type Channel = keyof Messages;

/** Channels that a station publishes. */
export const upChannels = ['presence', 'hello', 'state', 'events', 'replies'] as const satisfies readonly Channel[];
/** Channels that a station subscribes to. */
export const downChannels = ['welcome', 'reset', 'ack', 'config', 'commands'] as const satisfies readonly Channel[];

export type UpChannel = (typeof upChannels)[number];
export type DownChannel = (typeof downChannels)[number];

/** Retained by the broker, so that a late subscriber sees the last one. */
export const retainedChannels: ReadonlySet<Channel> = new Set(['presence', 'state', 'config']);

const prefix = 'stations/';

export function topicOf(station: string, channel: Channel): string {
  return `${prefix}${station}/${channel}`;
}

export type TopicAddress = { station: string; channel: Channel };

/** @returns null where the topic is not one of `stations/<stationId>/<channel>` */
export function parseTopic(topic: string): TopicAddress | null {
  if (!topic.startsWith(prefix)) return null;
  const slash = topic.indexOf('/', prefix.length);
  if (slash < 0) return null;
  const station = topic.slice(prefix.length, slash);
  const channel = topic.slice(slash + 1);
  if (!isChannel(channel) || !stationIdPattern.test(station)) return null;
  return { station, channel };
}

/** README §4: a station's credential publishes its own five up channels and nothing else. */
export function mayPublish(station: string, topic: string): boolean {
  const address = parseTopic(topic);
  return address?.station === station && isUpChannel(address.channel);
}

/** README §4: exact topics only; no wildcard is ever granted to a station. */
export function maySubscribe(station: string, topic: string): boolean {
  const address = parseTopic(topic);
  return address?.station === station && !isUpChannel(address.channel);
}

export function isUpChannel(channel: Channel): channel is UpChannel {
  return (upChannels as readonly Channel[]).includes(channel);
}

function isChannel(text: string): text is Channel {
  return (upChannels as readonly string[]).includes(text) || (downChannels as readonly string[]).includes(text);
}
