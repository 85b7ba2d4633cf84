import { z } from 'zod';

/** A broker's address. Who logs in is said beside it: addresses are shown and logged. */
export const mqttUrlSchema = z
  .string()
  .refine(
    (text) => /^mqtts?:\/\/[^/\s@?#]+$/.test(text) && URL.canParse(text),
    'expected mqtt://host[:port] or mqtts://host[:port]',
  );

/** An IANA time zone. */
export const timeZoneSchema = z.string().refine(isTimeZone, 'expected an IANA time zone such as Asia/Shanghai');

export const logLevelSchema = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']);

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
