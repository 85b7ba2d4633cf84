import { expect, test } from 'vitest';
import type { z } from 'zod';
import { logLevelSchema, mqttUrlSchema, timeZoneSchema } from '../../../protocol/host/config-fields.ts';

test.each<{ of: string; schema: z.ZodType; fits: string[]; not: unknown[] }>([
  {
    of: 'a broker’s address',
    schema: mqttUrlSchema,
    fits: ['mqtt://h', 'mqtts://cloud.example:8883', 'mqtt://127.0.0.1:1883', 'mqtt://[::1]:1883'],
    not: [
      '',
      'h:1883',
      'http://h',
      'ws://h',
      'mqtt:h',
      'mqtt://',
      'mqtt://h/',
      'mqtt://h/path',
      'mqtt://h?x=1',
      'mqtt://h#x',
      'mqtt://h:99999',
      'mqtt://h:port',
      'mqtt://a b',
      ' mqtt://h',
      'mqtt://me:secret@h',
      'mqtt://me@h',
      5,
      null,
    ],
  },
  {
    of: 'a time zone',
    schema: timeZoneSchema,
    fits: ['Asia/Shanghai', 'UTC', 'Europe/Berlin'],
    not: ['', 'Mars/Olympus', 'Shanghai', 8, null],
  },
  {
    of: 'a log level',
    schema: logLevelSchema,
    fits: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    not: ['', 'silent', 'INFO', 30],
  },
])('$of', ({ schema, fits, not }) => {
  expect(fits.filter((value) => !schema.safeParse(value).success)).toEqual([]);
  expect(not.filter((value) => schema.safeParse(value).success)).toEqual([]);
});

test('what is wrong with it is said in words', () => {
  expect(mqttUrlSchema.safeParse('http://h').error?.issues[0]?.message).toBe(
    'expected mqtt://host[:port] or mqtts://host[:port]',
  );
  expect(timeZoneSchema.safeParse('Mars').error?.issues[0]?.message).toBe(
    'expected an IANA time zone such as Asia/Shanghai',
  );
});
