import { z } from 'zod';
import { epochIdSchema, instanceIdSchema, sequenceSchema, tokenSchema, unixMsSchema, upToSchema } from './ids.ts';
import { stateSchema } from './state.ts';

/** Bounds of an `events` message; a sender stays within both, a receiver refuses what is above. */
export const batchMaxEvents = 200;
export const batchMaxBytes = 64 * 1024;

/** Epochs in one `hello`; a station that keeps more says them in several. */
export const helloMaxEpochs = 64;

/**
 * Levels of arrays and objects in JSON that no schema bounds: a payload has room for thousands, and
 * what walks those by recursion (JSON.stringify) would overflow its stack.
 */
export const maxDepth = 32;

/** Whether JSON has more levels of arrays and objects than that. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isDeeperThan(levels - 1, (value as Record<string, unknown>)[key])) return true;
  return false;
}

const envelope = { v: z.int() };
const anyJson = z.unknown().refine((value) => !isDeeperThan(maxDepth, value), `expected at most ${maxDepth} levels`);

export const presenceSchema = z.object({ ...envelope, online: z.boolean(), nonce: tokenSchema });

export const helloEpochSchema = z.object({
  id: epochIdSchema,
  /** First sequence still kept; `last + 1` where none is. */
  oldest: sequenceSchema,
  last: upToSchema,
  acked: upToSchema,
});

export const helloSchema = z.object({
  ...envelope,
  nonce: tokenSchema,
  instance: instanceIdSchema,
  agent: z.string().max(80),
  configHash: z.string().max(80),
  epochs: z.array(helloEpochSchema).min(1).max(helloMaxEpochs),
});

export const welcomeSchema = z.object({
  ...envelope,
  nonce: tokenSchema,
  session: tokenSchema,
  now: unixMsSchema,
  epochs: z.array(z.object({ id: epochIdSchema, upTo: upToSchema })).max(helloMaxEpochs),
});

export const resetSchema = z.object({ ...envelope, session: tokenSchema });

/**
 * The envelope of a batch. Its events are validated one by one by whoever stores them, so that one
 * bad event never holds back its neighbours (README §3, rule 8).
 */
export const eventsSchema = z.object({
  ...envelope,
  session: tokenSchema,
  epoch: epochIdSchema,
  first: sequenceSchema,
  events: z.array(z.unknown()).min(1).max(batchMaxEvents),
});

export const ackSchema = z.object({
  ...envelope,
  session: tokenSchema,
  epoch: epochIdSchema,
  upTo: upToSchema,
  now: unixMsSchema,
});

export const configSchema = z.object({ ...envelope, hash: z.string().max(80), body: z.record(z.string(), anyJson) });

export const commandNames = ['report-now'] as const;

export const commandSchema = z.object({
  ...envelope,
  id: tokenSchema,
  expires: unixMsSchema,
  name: z.string().min(1).max(40),
  args: z.record(z.string(), anyJson).default({}),
});

export const replySchema = z.object({
  ...envelope,
  id: tokenSchema,
  ok: z.boolean(),
  result: anyJson.optional(),
  error: z.string().max(400).optional(),
});

/** Every channel's body by the last part of its topic. */
export const messageSchemas = {
  presence: presenceSchema,
  hello: helloSchema,
  welcome: welcomeSchema,
  reset: resetSchema,
  state: stateSchema,
  events: eventsSchema,
  ack: ackSchema,
  config: configSchema,
  commands: commandSchema,
  replies: replySchema,
} as const;

export type Presence = z.infer<typeof presenceSchema>;
export type Hello = z.infer<typeof helloSchema>;
export type HelloEpoch = z.infer<typeof helloEpochSchema>;
export type Welcome = z.infer<typeof welcomeSchema>;
export type Reset = z.infer<typeof resetSchema>;
export type EventsBatch = z.infer<typeof eventsSchema>;
export type Ack = z.infer<typeof ackSchema>;
export type RemoteConfig = z.infer<typeof configSchema>;
export type Command = z.infer<typeof commandSchema>;
export type Reply = z.infer<typeof replySchema>;
export type Messages = {
  [C in keyof typeof messageSchemas]: z.infer<(typeof messageSchemas)[C]>;
};
