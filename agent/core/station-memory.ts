import { z } from 'zod';
import { peopleBasisSchema } from '../../protocol/events.ts';
import { emptyMemory, type StationMemory } from './station-core.ts';

const momentSchema = z.object({ monoMs: z.number(), wallMs: z.number().nullable() });
const counterSchema = z.object({
  raw: z.number().nullable(),
  generation: z.number(),
  atMs: z.number(),
  held: z.object({ raw: z.number(), atMs: z.number() }).nullable(),
});

const machineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('water'), water: z.object({ ml: counterSchema, unsaidMl: z.number() }) }),
  z.object({ kind: z.literal('port'), port: z.object({ mwh: counterSchema, unsaidMwh: z.number() }) }),
  z.object({ kind: z.literal('button'), presses: counterSchema }),
  z.object({ kind: z.enum(['door', 'env', 'people']) }),
]);

const sensorSchema = z.object({ source: z.string(), board: z.string().nullable(), machine: machineSchema });

const boardSchema = z.object({
  generation: z.number(),
  bootedAtMs: z.number().nullable(),
  upS: z.number().nullable(),
  upAt: momentSchema,
  boot: z.string(),
});

const peopleSchema = z.object({
  inside: z.number().nullable(),
  basis: peopleBasisSchema,
  counters: z.record(z.string(), z.object({ in: counterSchema, out: counterSchema })),
});

/** The memory as rows of the outbox's checkpoint: one a sensor, one a board, one for the people, one for the boot. */
export function memoryRows(memory: StationMemory): Record<string, string> {
  const rows: Record<string, string> = { boot: JSON.stringify(memory.boot) };
  for (const [sensor, kept] of Object.entries(memory.sensors)) rows[`sensor:${sensor}`] = JSON.stringify(kept);
  for (const [board, run] of Object.entries(memory.boards)) rows[`board:${board}`] = JSON.stringify(run);
  if (memory.people) rows['people'] = JSON.stringify(memory.people);
  return rows;
}

/** @returns the memory, and the keys of rows that are none (of a damaged file, say) */
export function readMemoryRows(rows: Readonly<Record<string, string>>): { memory: StationMemory; damaged: string[] } {
  const damaged: string[] = [];
  const sensors: Record<string, z.infer<typeof sensorSchema>> = {};
  const boards: Record<string, z.infer<typeof boardSchema>> = {};
  let people: z.infer<typeof peopleSchema> | undefined;
  let boot: string | undefined;
  for (const [key, json] of Object.entries(rows)) {
    const value = parseJson(json);
    const [kind = '', name = ''] = key.split(/:(.*)/s);
    const sensor = kind === 'sensor' ? sensorSchema.safeParse(value).data : undefined;
    const board = kind === 'board' ? boardSchema.safeParse(value).data : undefined;
    const counted = kind === 'people' ? peopleSchema.safeParse(value).data : undefined;
    const booted = kind === 'boot' ? z.string().safeParse(value).data : undefined;
    if (sensor) sensors[name] = sensor;
    else if (board) boards[name] = board;
    else if (counted) people = counted;
    else if (booted !== undefined) boot = booted;
    else damaged.push(key);
  }
  return { memory: { boot: boot ?? emptyMemory.boot, sensors, boards, people }, damaged };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
