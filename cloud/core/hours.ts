import OpeningHours from 'opening_hours';

export type Opening = {
  open: boolean;
  /** When that changes next, Unix ms; null where it never does. */
  changesAt: number | null;
};

/** Opening hours of one station, evaluated in its own time zone. */
export type HoursRule = (atMs: number) => Opening;

/** @returns what is wrong with the text, or null */
export function hoursProblem(text: string): string | null {
  try {
    new OpeningHours(text, china);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * @param text OpenStreetMap's `opening_hours` syntax
 * @throws Error where `hoursProblem` has one
 */
export function parseHours(text: string, timeZone: string): HoursRule {
  if (text === '24/7') return () => ({ open: true, changesAt: null });
  const rule = new OpeningHours(text, china);
  const zone = zoneClock(timeZone);
  // The same answer holds until the next change: thousands of stations share a few rules.
  let held: { fromMs: number; opening: Opening } | null = null;
  return (atMs) => {
    if (held && atMs >= held.fromMs && atMs < (held.opening.changesAt ?? Number.POSITIVE_INFINITY)) return held.opening;
    const local = zone.toLocal(atMs);
    const next = rule.getNextChange(local);
    const opening = { open: rule.getState(local), changesAt: next ? zone.toInstant(next) : null };
    held = { fromMs: atMs, opening };
    return opening;
  };
}

/** Public holidays are the People's Republic's. */
const china = { lat: 35, lon: 105, address: { country_code: 'cn', state: '' } };

/** The calendar day of an instant, as text. */
export type DayOf = (atMs: number) => string;

/** Days in a zone. To be kept: a formatter is dear to make. */
export function dayIn(timeZone: string): DayOf {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone });
  return (atMs) => format.format(atMs);
}

/** How far the zone's clocks are ahead of UTC at an instant, ms. */
export function zoneOffsetMs(timeZone: string, atMs: number): number {
  return offsetMs(zoneFormat(timeZone), atMs);
}

function offsetMs(format: Intl.DateTimeFormat, atMs: number): number {
  const [year, month, ...rest] = zoneFields(format, atMs);
  return Date.UTC(year, month - 1, ...rest) - Math.floor(atMs / 1000) * 1000;
}

type Fields = [year: number, month: number, day: number, hour: number, minute: number, second: number];

/**
 * The library reads and makes Dates by their local fields; here those fields are the zone's,
 * whatever the zone of this process is and however its own clocks are put forward and back.
 */
function zoneClock(timeZone: string): { toLocal: (atMs: number) => Date; toInstant: (local: Date) => number } {
  const format = zoneFormat(timeZone);
  return {
    toLocal(atMs) {
      const [year, month, ...rest] = zoneFields(format, atMs);
      return new Date(year, month - 1, ...rest);
    },
    toInstant(local) {
      const day = Date.UTC(local.getFullYear(), local.getMonth(), local.getDate());
      const wallMs = day + ((local.getHours() * 60 + local.getMinutes()) * 60 + local.getSeconds()) * 1000;
      return wallMs - offsetMs(format, wallMs - offsetMs(format, wallMs));
    },
  };
}

function zoneFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
}

function zoneFields(format: Intl.DateTimeFormat, atMs: number): Fields {
  const fields = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  const of = (name: Intl.DateTimeFormatPartTypes): number => fields.get(name) ?? 0;
  return [of('year'), of('month'), of('day'), of('hour'), of('minute'), of('second')];
}
