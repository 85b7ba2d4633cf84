import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { type EventBody, eventSchema, type StationEvent } from './events.ts';
import { batchMaxBytes, type EventsBatch, isDeeperThan, type Messages, maxDepth, messageSchemas } from './messages.ts';
import type { Channel } from './topics.ts';
import { acceptedVersions, protocolVersion } from './version.ts';

/** Why bytes are not a message. Each is counted by its cause; none throws. */
export type DecodeCause = 'too-large' | 'utf8' | 'json' | 'version' | 'schema';
export type Undecodable = { ok: false; cause: DecodeCause; detail: string };
export type Decoded<T> = { ok: true; message: T } | Undecodable;

/** Largest payload of each channel, bytes. */
export const maxPayloadBytes: Readonly<Record<Channel, number>> = {
  presence: 1024,
  hello: 16 * 1024,
  welcome: 16 * 1024,
  reset: 1024,
  state: 32 * 1024,
  events: batchMaxBytes,
  ack: 1024,
  config: 32 * 1024,
  commands: 16 * 1024,
  replies: 32 * 1024,
};

/** Compiled at first use: a station reads four of the channels, and none of the events. */
const validators: { [C in Channel]: () => z.ZodType<Messages[C]> } = {
  presence: lazily(() => z.compile(messageSchemas.presence)),
  hello: lazily(() => z.compile(messageSchemas.hello)),
  welcome: lazily(() => z.compile(messageSchemas.welcome)),
  reset: lazily(() => z.compile(messageSchemas.reset)),
  state: lazily(() => z.compile(messageSchemas.state)),
  events: lazily(() => z.compile(messageSchemas.events)),
  ack: lazily(() => z.compile(messageSchemas.ack)),
  config: lazily(() => z.compile(messageSchemas.config)),
  commands: lazily(() => z.compile(messageSchemas.commands)),
  replies: lazily(() => z.compile(messageSchemas.replies)),
};
const eventValidator = lazily(() => z.compile(eventSchema));

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** A message as the bytes of its channel; `v` is set here. */
export function encode<C extends Channel>(_channel: C, message: Omit<Messages[C], 'v'>): Buffer {
  return Buffer.from(JSON.stringify({ v: protocolVersion, ...message }));
}

/**
 * Checks size, UTF-8, JSON, version and schema, in that order.
 *
 * @returns the message, or the first cause for which the bytes are refused
 */
export function decode<C extends Channel>(channel: C, payload: Uint8Array): Decoded<Messages[C]> {
  const limit = maxPayloadBytes[channel];
  if (payload.byteLength > limit) {
    return refused('too-large', `expected at most ${limit} bytes, found ${payload.byteLength}`);
  }
  if (!isUtf8(payload)) return refused('utf8', 'expected UTF-8');
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('json', `expected JSON, found ${JSON.stringify(text.slice(0, 40))}`);
  }
  return check(channel, value);
}

function check<C extends Channel>(channel: C, value: unknown): Decoded<Messages[C]> {
  const version = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
  if (typeof version !== 'number' || !acceptedVersions.includes(version)) {
    const found = typeof version === 'number' ? version : typeof version;
    return refused('version', `expected v ${acceptedVersions.join(' or ')}, found ${found}`);
  }
  const parsed = validators[channel]().safeParse(value);
  if (!parsed.success) return refused('schema', firstIssue(parsed.error));
  return { ok: true, message: parsed.data };
}

/** One event of a batch with the sequences that it stands for (several for a gap). */
export type SequencedEvent =
  | { valid: true; first: number; last: number; event: StationEvent; json: string }
  | { valid: false; first: number; last: number; json: string; reason: string };

/**
 * Numbers the events of a batch and validates each. A gap takes the sequences `from`…`to`, any
 * other event one; a gap whose `from` is not its own sequence is invalid and takes one.
 */
export function sequenceEvents(batch: Pick<EventsBatch, 'first' | 'events'>): SequencedEvent[] {
  const sequenced: SequencedEvent[] = [];
  const validator = eventValidator();
  let next = batch.first;
  for (const raw of batch.events) {
    const sequencedEvent = sequenceEvent(raw, next, validator);
    sequenced.push(sequencedEvent);
    next = sequencedEvent.last + 1;
  }
  return sequenced;
}

function sequenceEvent(raw: unknown, first: number, validator: z.ZodType<StationEvent>): SequencedEvent {
  const poison = (json: string, reason: string): SequencedEvent => ({ valid: false, first, last: first, json, reason });
  if (isDeeperThan(maxDepth, raw)) return poison('null', `expected at most ${maxDepth} levels`);
  const json = JSON.stringify(raw) ?? 'null';
  const parsed = validator.safeParse(raw);
  if (!parsed.success) return poison(json, firstIssue(parsed.error));
  const event = parsed.data;
  if (event.kind !== 'gap') return { valid: true, first, last: first, event, json };
  if (event.from !== first || event.to < event.from)
    return poison(json, `gap: expected from ${first} and to not below it, found ${event.from}…${event.to}`);
  return { valid: true, first, last: event.to, event, json };
}

/** `{"at":…,…}`: a stored body with its wall time in front, without parsing it again. */
export function eventJson(bodyJson: string, time: { at: number; atMin?: number; atMax?: number }): string {
  const estimated =
    time.atMin === undefined ? '' : `,"atIs":"estimated","atMin":${time.atMin},"atMax":${time.atMax ?? time.at}`;
  return `{"at":${time.at}${estimated},${bodyJson.slice(1)}`;
}

/** An event's body as it is stored and sent. */
export function encodeEventBody(body: EventBody): string {
  return JSON.stringify(body);
}

/** A batch from events that are JSON already. */
export function encodeBatch(batch: {
  session: string;
  epoch: string;
  first: number;
  events: readonly string[];
}): Buffer {
  const { session, epoch, first, events } = batch;
  return Buffer.from(
    `{"v":${protocolVersion},"session":"${session}","epoch":"${epoch}","first":${first},"events":[${events.join(',')}]}`,
  );
}

/** Bytes of an `events` message around its events: an upper bound for the envelope alone. */
export const batchEnvelopeBytes = 256;

/** A path may hold a key that a sender chose; logs and the quarantine keep this much of it, characters. */
const maxReasonLength = 200;

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return 'invalid';
  const path = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  return `${path}${issue.message}`.slice(0, maxReasonLength);
}

function refused(cause: DecodeCause, detail: string): Undecodable {
  return { ok: false, cause, detail };
}
