import type { Messages } from '../../protocol/messages.ts';
import type { Channel } from '../../protocol/topics.ts';
import { shownMessages } from './readme.ts';

export const epoch = '0e6ba4c2d18f4f7fa3b0c9d8e7f60512';

const shown = (channel: Channel) =>
  JSON.parse(shownMessages.find((message) => message.channel === channel)?.json ?? '');

/** One good message of each channel: those that protocol/README.md shows, and the others by its tables. */
export const good: { readonly [C in Channel]: Messages[C] } = {
  presence: shown('presence'),
  hello: shown('hello'),
  state: shown('state'),
  events: shown('events'),
  welcome: shown('welcome'),
  ack: shown('ack'),
  reset: { v: 1, session: 'kq3vN0c8Yt5m' },
  config: { v: 1, hash: '9d1f0c3b7a5e4d22', body: { door: { heldOpenS: 120 } } },
  commands: { v: 1, id: 'c-1', expires: 1795399260000, name: 'report-now', args: {} },
  replies: { v: 1, id: 'c-1', ok: false, result: null, error: 'expired' },
};

export const channels = Object.keys(good) as Channel[];

export const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Stands in a value for arrays in arrays. */
export const deep = '<deep>';

/** A value's JSON with so many arrays in arrays in it: more than JSON.stringify itself could write. */
export function deepened(value: unknown, levels: number): Buffer {
  return Buffer.from(JSON.stringify(value).replace(`"${deep}"`, '['.repeat(levels) + ']'.repeat(levels)));
}
