import { z } from 'zod';
import { iso } from '../core/availability.ts';
import { zoneOffsetMs } from '../core/hours.ts';
import { add, type HourSums, type Hours, hourMs, hourOf, integrate } from '../core/rollup.ts';
import type { History, RollupRow } from '../store/store.ts';

/** What a public caller may ask for: people are the union's (README, "Privacy"). */
export const publicMetrics = ['port_minutes', 'energy_wh', 'litres'] as const;
export const unionMetrics = ['visits', 'inside_mean', 'inside_peak'] as const;
export type Metric = (typeof publicMetrics)[number] | (typeof unionMetrics)[number];

const steps = { hour: hourMs, day: 24 * hourMs } as const;
const maxPoints = 24 * 100;
/** Excel takes a CSV file for UTF-8 only with this in front. */
const byteOrderMark = '\uFEFF';
const defaultSpanMs = 24 * hourMs;

/** RFC 3339 §5.6: without an offset it would be the server's own time, which nobody means. */
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

const instant = z.string().transform((text, context) => {
  const at = /^\d+$/.test(text) ? Number(text) : rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isSafeInteger(at) && Math.abs(at) < 8e15) return at;
  context.addIssue({ code: 'custom', message: 'expected RFC 3339 with its offset, or Unix milliseconds' });
  return z.NEVER;
});

export const historyQuerySchema = z.strictObject({
  metric: z.enum([...publicMetrics, ...unionMetrics]),
  from: instant.optional(),
  to: instant.optional(),
  step: z.enum(['hour', 'day']).default('hour'),
  format: z.enum(['json', 'csv', 'ndjson']).optional(),
});

export type HistoryRange = { metric: Metric; fromMs: number; toMs: number; stepMs: number };

/** @returns the range on the grid of its step, or what is wrong with it */
export function historyRange(
  query: z.infer<typeof historyQuerySchema>,
  timeZone: string,
  nowMs: number,
): HistoryRange | string {
  const stepMs = steps[query.step];
  // A day is the station's own; hours are everyone's.
  const offsetMs = query.step === 'day' ? zoneOffsetMs(timeZone, query.to ?? nowMs) : 0;
  const toMs = Math.ceil(((query.to ?? nowMs) + offsetMs) / stepMs) * stepMs - offsetMs;
  const fromMs = Math.floor(((query.from ?? toMs - defaultSpanMs) + offsetMs) / stepMs) * stepMs - offsetMs;
  if (fromMs >= toMs) return 'from: expected an instant before to';
  if ((toMs - fromMs) / stepMs > maxPoints) return `from, to: expected at most ${maxPoints} steps`;
  return { metric: query.metric, fromMs, toMs, stepMs };
}

export type Point = { t: string; value: number | null };

/**
 * A metric on a grid. A step of which nothing is known is null, a gap and never a zero. Hours that
 * no event closed yet are filled from what stands, as far as the station is heard. The running hour
 * is left out: litres that grow would tell the public the minute at which somebody drank.
 *
 * @param heardUntilMs time of the station's last regular report (another one may be somebody at the
 *   door); null where it has none
 */
export function historyPoints(
  { rows, standing }: History,
  range: HistoryRange,
  heardUntilMs: number | null,
  nowMs: number,
): Point[] {
  const endMs = hourOf(nowMs);
  const finished = rows.filter(({ hour }) => hour < endMs);
  const hours: Hours = new Map(finished.map(({ hour, ...sums }: RollupRow) => [hour, { ...sums }]));
  if (heardUntilMs !== null) for (const stood of standing) integrate(stood, Math.min(heardUntilMs, endMs), hours);
  const points: Point[] = [];
  for (let at = range.fromMs; at < range.toMs; at += range.stepMs) {
    const within: Hours = new Map();
    // Where a zone's days begin within an hour, that hour belongs to one of them alone.
    for (let hour = Math.ceil(at / hourMs) * hourMs; hour < at + range.stepMs; hour += hourMs) {
      const sums = hours.get(hour);
      if (sums) add(within, at, sums);
    }
    const sums = within.get(hourOf(at));
    points.push({ t: iso(at), value: sums ? metricOf(range.metric, sums) : null });
  }
  return points;
}

/** @returns the points as CSV with a header, or one JSON object a line; a gap is an empty field, or null */
export function historyText(points: readonly Point[], metric: Metric, format: 'csv' | 'ndjson'): string {
  if (format === 'ndjson') return points.map(({ t, value }) => `${JSON.stringify({ t, [metric]: value })}\n`).join('');
  const lines = points.map(({ t, value }) => `${t},${value ?? ''}\r\n`);
  return `${byteOrderMark}time,${metric}\r\n${lines.join('')}`;
}

/**
 * What machines count is known by what machines said: sums that are there because somebody came in
 * would tell so by a 0.
 */
function metricOf(metric: Metric, sums: HourSums): number | null {
  switch (metric) {
    case 'visits':
      return sums.visits;
    case 'inside_mean':
      return sums.peopleMs === 0 ? null : round(sums.insideMs / sums.peopleMs);
    case 'inside_peak':
      return sums.peopleMs === 0 ? null : sums.insidePeak;
    case 'port_minutes':
      return sums.portMs === 0 ? null : round(sums.chargingMs / 60_000);
    case 'energy_wh':
      return sums.portMs === 0 && sums.mwh === 0 ? null : round(sums.mwh / 1000);
    case 'litres':
      return sums.waterMs === 0 && sums.ml === 0 ? null : round(sums.ml / 1000);
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
