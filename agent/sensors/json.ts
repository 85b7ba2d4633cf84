import type { DriverEvent } from './driver.ts';

export type ParsedObject = { ok: true; object: Record<string, unknown> } | { ok: false; rejection: DriverEvent };

/** A JSON object, or why the text is none. */
export function parseObject(topic: string, text: string): ParsedObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return { ok: true, object: value };
  } catch {
    // Said below, together with JSON that is no object.
  }
  return { ok: false, rejection: { type: 'rejected', cause: 'json', detail: `${topic}: ${text.slice(0, 40)}` } };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The field as a finite number within bounds; undefined where it is none. */
export function numberWithin(value: unknown, min: number, max: number): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max ? value : undefined;
}
