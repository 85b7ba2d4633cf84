import { z } from 'zod';
import { doorAlarms, peopleBasisSchema, portStates, sensorHealths } from './events.ts';
import { epochIdSchema, sensorIdSchema, tokenSchema, unixMsSchema, upToSchema } from './ids.ts';

/** What nobody knows: never free, open or 0 (README §2, "State"). */
export const unknown = 'unknown' as const;

const maybe = z.number().nullable();

const doorPart = z.object({
  sensor: sensorIdSchema,
  open: z.boolean(),
  locked: z.boolean().nullable(),
  alarm: z.enum(doorAlarms).nullable(),
});

export const peoplePartSchema = z.object({
  inside: z.int().min(0),
  basis: peopleBasisSchema,
  /** Someone is sensed right now; null where no presence sensor speaks. */
  present: z.boolean().nullable(),
});

export const supplySchema = z.enum(['available', 'unavailable', unknown]);

/** One dispenser. `hot` and `cold` say whether a cup of it can be drawn now. */
export const waterPartSchema = z.object({
  sensor: sensorIdSchema,
  hot: supplySchema,
  cold: supplySchema,
  tankPct: maybe,
  hotC: maybe,
  coldC: maybe,
  filterPct: maybe,
  fault: z.int().nullable(),
  leak: z.boolean().nullable(),
});

export const portPartSchema = z.object({ sensor: sensorIdSchema, state: z.enum([...portStates, unknown]), mw: maybe });

export const envPartSchema = z.object({
  tempC: maybe,
  rhPct: maybe,
  co2Ppm: maybe,
  smoke: z.boolean().nullable(),
  flood: z.boolean().nullable(),
  mains: z.boolean().nullable(),
});

export const sensorPartSchema = z.object({ health: z.enum([...sensorHealths, unknown]) });

export const storageConditions = ['ok', 'full', 'failed'] as const;

/** The live lane's whole message: idempotent, the newest `(epoch order, seq)` wins (README §2). */
export const stateSchema = z.object({
  v: z.int(),
  epoch: epochIdSchema,
  /** Sequence of the last event committed in this epoch; 0 before the first. */
  seq: upToSchema,
  /** Null while the clock is unset. */
  at: unixMsSchema.nullable(),
  /** The connection's nonce, as in `presence`. */
  nonce: tokenSchema,
  clock: z.enum(['set', 'unset']),
  reportIntervalS: z.int().min(1).max(3600),
  /** Seats by the station's own configuration, where it says them. */
  capacity: z.int().min(1).max(10_000).optional(),
  /** True on a report of the regular timer, absent on one that a change brought (README §2). */
  beat: z.literal(true).optional(),
  door: z.union([doorPart, z.literal(unknown)]),
  otherDoors: z
    .array(z.union([doorPart, z.object({ sensor: sensorIdSchema, open: z.literal(unknown) })]))
    .max(16)
    .optional(),
  people: z.union([peoplePartSchema, z.literal(unknown)]),
  water: z.array(waterPartSchema).max(16),
  ports: z.array(portPartSchema).max(64),
  env: z.union([envPartSchema, z.literal(unknown)]).optional(),
  sensors: z.record(sensorIdSchema, sensorPartSchema),
  agent: z.object({
    version: z.string().max(40),
    uptimeS: z.number().min(0),
    outboxRows: z.int().min(0),
    oldestUnackedAt: unixMsSchema.nullable(),
    diskFreePct: maybe,
    bytesWrittenToday: maybe,
    storage: z.enum(storageConditions).optional(),
  }),
});

export type StationState = z.infer<typeof stateSchema>;
export type WaterPart = z.infer<typeof waterPartSchema>;
export type PortPart = z.infer<typeof portPartSchema>;
export type Supply = z.infer<typeof supplySchema>;
export type StorageCondition = (typeof storageConditions)[number];
