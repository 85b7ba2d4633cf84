import { z } from 'zod';
import { sensorIdSchema, sequenceSchema, unixMsSchema } from './ids.ts';

/** Readings that a sensor may lack are null, never 0 (README §2). */
const maybe = z.number().nullable();
const count = z.int().min(0);

const common = {
  at: unixMsSchema,
  sensor: sensorIdSchema,
  /** Set where the board had no clock when it happened: `at` then lies between these two. */
  atIs: z.literal('estimated').optional(),
  atMin: unixMsSchema.optional(),
  atMax: unixMsSchema.optional(),
};

/** How the estimate of people inside came about (agent: people machine). */
export const peopleBasisSchema = z.enum(['counted', 'presence', 'door', 'quiet-hour', 'floor']);

export const portStates = ['free', 'charging', 'full', 'fault'] as const;
export const sensorHealths = ['ok', 'silent', 'noisy', 'fault'] as const;
export const doorAlarms = ['held-open', 'forced'] as const;

/** Door moved, was locked or unlocked, or raised or cleared an alarm. */
export const doorEventSchema = z.object({
  kind: z.literal('door'),
  ...common,
  open: z.boolean(),
  locked: z.boolean().optional(),
  alarm: z.enum(doorAlarms).optional(),
});

/** `in` and `out` are counted since the last people event; `inside` is the estimate after it. */
export const peopleEventSchema = z.object({
  kind: z.literal('people'),
  ...common,
  in: count,
  out: count,
  inside: count,
  basis: peopleBasisSchema,
});

/** `ml` is dispensed since the last water event of this sensor; the rest is what stands now. */
export const waterEventSchema = z.object({
  kind: z.literal('water'),
  ...common,
  tankPct: maybe,
  hotC: maybe,
  coldC: maybe,
  ml: count,
  fault: z.int().nullable(),
  filterPct: maybe,
  leak: z.boolean().nullable().optional(),
});

/** `mwh` is delivered since the last port event of this sensor; `mw` is the power now. */
export const portEventSchema = z.object({
  kind: z.literal('port'),
  ...common,
  state: z.enum(portStates),
  mw: maybe,
  mwh: count,
});

export const envEventSchema = z.object({
  kind: z.literal('env'),
  ...common,
  tempC: maybe.optional(),
  rhPct: maybe.optional(),
  co2Ppm: maybe.optional(),
  smoke: z.boolean().nullable().optional(),
  flood: z.boolean().nullable().optional(),
  mains: z.boolean().nullable().optional(),
});

/** Presses of a help button since the last `sos` event of this sensor. */
export const sosEventSchema = z.object({ kind: z.literal('sos'), ...common, presses: count });

export const sensorEventSchema = z.object({
  kind: z.literal('sensor'),
  ...common,
  health: z.enum(sensorHealths),
  reason: z.string().max(200),
});

export const agentEventKinds = [
  'started',
  'stopped',
  'clock-set',
  'config-applied',
  'command',
  'buffer-trimmed',
  'storage-alarm',
  'self-report',
] as const;

export const agentEventSchema = z.object({
  kind: z.literal('agent'),
  ...common,
  what: z.enum(agentEventKinds),
  detail: z.record(z.string().max(40), z.union([z.string().max(400), z.number(), z.boolean(), z.null()])).optional(),
});

/** Sums that a lost range held, so that totals stay right although the events are gone. */
export const lostSumsSchema = z.record(
  sensorIdSchema,
  z.object({
    in: count.optional(),
    out: count.optional(),
    ml: count.optional(),
    mwh: count.optional(),
    presses: count.optional(),
  }),
);

/**
 * Receipt for events that the station no longer has: it stands for the sequences `from`…`to`, and
 * the event after it in a batch has sequence `to + 1` (README §2, "Sequences").
 */
export const gapEventSchema = z.object({
  kind: z.literal('gap'),
  ...common,
  from: sequenceSchema,
  to: sequenceSchema,
  reason: z.enum(['trimmed', 'thinned', 'purged', 'corrupt']),
  lost: lostSumsSchema.optional(),
});

export const eventSchema = z.discriminatedUnion('kind', [
  doorEventSchema,
  peopleEventSchema,
  waterEventSchema,
  portEventSchema,
  envEventSchema,
  sosEventSchema,
  sensorEventSchema,
  agentEventSchema,
  gapEventSchema,
]);

export type StationEvent = z.infer<typeof eventSchema>;
export type EventKind = StationEvent['kind'];
export type GapEvent = z.infer<typeof gapEventSchema>;
export type LostSums = z.infer<typeof lostSumsSchema>;
export type PeopleBasis = z.infer<typeof peopleBasisSchema>;
export type PortState = (typeof portStates)[number];
export type SensorHealth = (typeof sensorHealths)[number];
export type DoorAlarm = (typeof doorAlarms)[number];

type WithoutTime<E> = E extends unknown ? Omit<E, 'at' | 'atIs' | 'atMin' | 'atMax'> : never;
/** An event before it has a wall time: what the agent's core says. */
export type EventBody = WithoutTime<StationEvent>;
