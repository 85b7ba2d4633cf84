import { createRequire } from 'node:module';
import { z } from 'zod';
import { timeZoneSchema } from '../../protocol/host/config-fields.ts';
import { stationIdSchema } from '../../protocol/ids.ts';
import { hoursProblem } from '../core/hours.ts';
import { type Datum, datums, type StationRecord } from '../core/station.ts';

// The package is CommonJS, its types say ES module: an import of it would not check.
const gcoord: typeof import('gcoord')['default'] = createRequire(import.meta.url)('gcoord');

const list = z.array(z.string().min(1).max(80)).max(40);

/** A register entry as people write it: any datum, defaults for what most stations share. */
export const stationInputSchema = z.strictObject({
  id: stationIdSchema,
  name: z.string().min(1).max(80),
  aliases: list.default([]),
  region: z.string().regex(/^[1-9]\d{5}$/, 'expected a six-digit adcode'),
  lat: z.number().min(-90).max(90),
  lng: z.number().min(-180).max(180),
  /** Of the position given here; only WGS-84 is kept. */
  datum: z.enum(datums).default('wgs84'),
  address: z.string().max(200).nullable().default(null),
  hours: z
    .string()
    .max(250)
    .default('24/7')
    .superRefine((text, context) => {
      const problem = hoursProblem(text);
      if (problem !== null)
        context.addIssue({ code: 'custom', message: `expected OpenStreetMap opening hours: ${problem}` });
    }),
  timeZone: timeZoneSchema.default('Asia/Shanghai'),
  capacity: z.int().min(1).max(10_000).nullable().default(null),
  facilities: list.default([]),
  steward: z.string().max(80).nullable().default(null),
  complaintLine: z.string().max(80).nullable().default(null),
  levels: list.default([]),
  kind: z.enum(['smart', 'lite']).default('smart'),
});

export type StationInput = z.infer<typeof stationInputSchema>;

export function toRecord({ datum, lat, lng, ...rest }: StationInput): StationRecord {
  const position = toWgs84(datum, lat, lng);
  return { ...rest, ...position, removedAt: null };
}

/** GPS is WGS-84, Amap and Tencent draw GCJ-02, Baidu BD-09: the shift is not linear. */
export function toWgs84(datum: Datum, lat: number, lng: number): { lat: number; lng: number } {
  if (datum === 'wgs84') return { lat, lng };
  const [wgsLng, wgsLat] = gcoord.transform([lng, lat], datum === 'gcj02' ? gcoord.GCJ02 : gcoord.BD09, gcoord.WGS84);
  return { lat: wgsLat, lng: wgsLng };
}
