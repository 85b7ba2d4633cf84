import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConfigError, parseConfig } from '../../../protocol/host/config-error.ts';

function issuesOf(schema: z.ZodType, value: unknown): readonly string[] {
  try {
    parseConfig(schema, value, 'station.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  return [];
}

const id = z.string().regex(/^[a-z]+$/, 'expected letters');

test.each<{ what: string; of: z.ZodType; value: unknown; issue: string }>([
  { what: 'a wrong type', of: z.string(), value: 5, issue: 'x: expected string, found 5' },
  { what: 'a missing field', of: z.string(), value: undefined, issue: 'x: expected string, found nothing' },
  { what: 'an empty field', of: z.string(), value: null, issue: 'x: expected string, found null' },
  { what: 'a quoted number', of: z.number(), value: '5', issue: 'x: expected number, found "5"' },
  { what: 'no number', of: z.number(), value: Number.NaN, issue: 'x: expected number, found NaN' },
  { what: 'a number without end', of: z.number(), value: Infinity, issue: 'x: expected number, found Infinity' },
  { what: 'half a number', of: z.int(), value: 1.5, issue: 'x: expected int, found 1.5' },
  { what: 'too little', of: z.number().min(5), value: 4, issue: 'x: expected number to be >=5, found 4' },
  { what: 'too much', of: z.number().max(5), value: 6, issue: 'x: expected number to be <=5, found 6' },
  {
    what: 'a text too short',
    of: z.string().min(1),
    value: '',
    issue: 'x: expected string to have >=1 characters, found ""',
  },
  {
    what: 'a list too short',
    of: z.array(id).min(1),
    value: [],
    issue: 'x: expected array to have >=1 items, found []',
  },
  { what: 'no list', of: z.array(id), value: 'a', issue: 'x: expected array, found "a"' },
  { what: 'a wrong word', of: z.enum(['a', 'b']), value: 'c', issue: 'x: expected one of "a"|"b", found "c"' },
  { what: 'another constant', of: z.literal(7), value: 8, issue: 'x: expected 7, found 8' },
  { what: 'a wrong form with words', of: id, value: 'A', issue: 'x: expected letters, found "A"' },
  {
    what: 'a wrong form without',
    of: z.string().regex(/^a/),
    value: 'b',
    issue: 'x: expected: must match pattern /^a/, found "b"',
  },
  { what: 'an item of a list', of: z.array(id), value: ['a', 'B'], issue: 'x[1]: expected letters, found "B"' },
  { what: 'a value of a map', of: z.record(id, id), value: { a: 'B' }, issue: 'x.a: expected letters, found "B"' },
  {
    what: 'a name of a map',
    of: z.record(id, id),
    value: { 'A 1': 'b' },
    issue: 'x.A 1: expected letters as its name',
  },
  { what: 'no map', of: z.strictObject({}), value: [], issue: 'x: expected object, found []' },
  { what: 'an unknown field', of: z.strictObject({}), value: { y: 1 }, issue: 'x.y: not a known field' },
  {
    what: 'a rule over fields',
    of: z.strictObject({ a: z.number() }).refine(() => false, 'expected a < b'),
    value: { a: 1 },
    issue: 'x: expected a < b, found {"a":1}',
  },
])('$what is said with its path, what was expected and what was found', ({ of, value, issue }) => {
  expect(issuesOf(z.strictObject({ x: of }), { x: value })).toEqual([issue]);
});

describe('of a choice', () => {
  const sizes = z.strictObject({ bits: z.union([z.literal(5), z.literal(6), z.literal(7)]) });
  const drivers = z.strictObject({
    sensors: z.array(
      z.discriminatedUnion('driver', [
        z.strictObject({ driver: z.literal('board'), port: z.string() }),
        z.strictObject({ driver: z.literal('tasmota'), pollS: z.number() }),
      ]),
    ),
  });
  const small = z.strictObject({ a: z.number() });
  const large = z.strictObject({ a: z.number(), b: z.number(), c: z.number() });
  const smallFirst = z.strictObject({ at: z.union([small, large]) });
  const largeFirst = z.strictObject({ at: z.union([large, small]) });
  const alike = z.strictObject({ at: z.union([small, z.strictObject({ a: z.number(), b: z.number().optional() })]) });
  const either = z.strictObject({
    at: z.union([z.string(), z.strictObject({ hour: z.number(), minute: z.number() })]),
  });

  test.each<{ what: string; schema: z.ZodType; value: unknown; issues: string[] }>([
    {
      what: 'of constants says them all',
      schema: sizes,
      value: { bits: 9 },
      issues: ['bits: expected 5 or 6 or 7, found 9'],
    },
    {
      what: 'that is not there says them all',
      schema: sizes,
      value: {},
      issues: ['bits: expected 5 or 6 or 7, found nothing'],
    },
    {
      what: 'by a name says the names',
      schema: drivers,
      value: { sensors: [{ driver: 'modbus' }] },
      issues: [`sensors[0].driver: expected 'board' | 'tasmota', found "modbus"`],
    },
    {
      what: 'by a name says what that one lacks',
      schema: drivers,
      value: { sensors: [{ driver: 'board', pollS: 1 }] },
      issues: ['sensors[0].port: expected string, found nothing', 'sensors[0].pollS: not a known field'],
    },
    {
      what: 'of shapes says what is wrong in the one that is meant',
      schema: either,
      value: { at: { hour: '4', minute: '5' } },
      issues: ['at.hour: expected number, found "4"', 'at.minute: expected number, found "5"'],
    },
    {
      what: 'of shapes says a field too many',
      schema: either,
      value: { at: { hour: 4, minute: 5, second: 6 } },
      issues: ['at.second: not a known field'],
    },
    {
      what: 'of shapes says what the closest lacks',
      schema: smallFirst,
      value: { at: { a: 'x' } },
      issues: ['at.a: expected number, found "x"'],
    },
    {
      what: 'of shapes says that in whatever order they are',
      schema: largeFirst,
      value: { at: { a: 'x' } },
      issues: ['at.a: expected number, found "x"'],
    },
    {
      what: 'of shapes that both fit says a field too many once',
      schema: alike,
      value: { at: { a: 1, z: 2 } },
      issues: ['at.z: not a known field'],
    },
    {
      what: 'of shapes says them where none is meant',
      schema: either,
      value: { at: 7 },
      issues: ['at: expected string or object, found 7'],
    },
  ])('one $what', ({ schema, value, issues }) => {
    expect(issuesOf(schema, value)).toEqual(issues);
  });
});

test('lists every wrong field, in the order of the schema, and says how many', () => {
  const schema = z.strictObject({ a: z.number(), b: z.strictObject({ c: z.array(z.string()) }), d: z.boolean() });
  const value = { a: 'x', b: { c: ['ok', 1, 2] }, d: true, e: 1, f: 2 };
  try {
    parseConfig(schema, value, 'station.yaml');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error instanceof ConfigError && error.report).toBe(
      [
        'station.yaml: 5 problems',
        '  a: expected number, found "x"',
        '  b.c[1]: expected string, found 1',
        '  b.c[2]: expected string, found 2',
        '  e: not a known field',
        '  f: not a known field',
      ].join('\n'),
    );
  }
});

test.each([null, 'text', 5, []])('a file that is %j is wrong as a whole', (value) => {
  expect(issuesOf(z.strictObject({ a: z.string() }), value)).toEqual([
    `(whole file): expected object, found ${JSON.stringify(value)}`,
  ]);
});

test('one problem is one problem', () => {
  expect(new ConfigError('f', ['a: wrong']).report).toBe('f: 1 problem\n  a: wrong');
});

test('gives back what the schema makes of it', () => {
  expect(parseConfig(z.strictObject({ a: z.number().default(3) }), {}, 'f')).toEqual({ a: 3 });
});

describe('a secret is never shown:', () => {
  const wrong = z.strictObject({ x: z.never() });
  test.each<{ where: string; schema: z.ZodType; value: unknown }>([
    {
      where: 'as a password of a wrong type',
      schema: z.object({ password: z.number() }),
      value: { password: 'hunter2' },
    },
    { where: 'in a list of tokens', schema: z.object({ tokens: z.array(z.number()) }), value: { tokens: ['hunter2'] } },
    {
      where: 'as a part of a secret',
      schema: z.object({ clientSecret: z.object({ v: z.number() }) }),
      value: { clientSecret: { v: 'hunter2' } },
    },
    {
      where: 'in a section that is wrong as a whole',
      schema: z.object({ cloud: z.object({}).refine(() => false, 'expected more') }),
      value: { cloud: { url: 'x', password: 'hunter2' } },
    },
    {
      where: 'in a section where a text should be',
      schema: z.object({ cloud: z.string() }),
      value: { cloud: { login: { apiKey: 'hunter2' } } },
    },
    { where: 'in an address', schema: z.object({ url: z.never() }), value: { url: 'mqtt://me:hunter2@host' } },
    { where: 'in an address in a list', schema: wrong, value: { x: ['mqtts://hunter2@host', 'mqtt://a:hunter2@b'] } },
    { where: 'in a whole file that is wrong', schema: z.string(), value: { cloud: { password: 'hunter2' } } },
  ])('$where', ({ schema, value }) => {
    const issues = issuesOf(schema, value);
    expect(issues).toHaveLength(1);
    expect(issues.join()).not.toContain('hunter2');
  });

  test('its type is', () => {
    expect(issuesOf(z.object({ password: z.number() }), { password: 'hunter2' })).toEqual([
      'password: expected number, found a string (not shown)',
    ]);
    expect(issuesOf(z.object({ password: z.string() }), {})).toEqual(['password: expected string, found nothing']);
  });
});

test('a long value is cut', () => {
  const [issue = ''] = issuesOf(z.strictObject({ a: z.number() }), { a: 'x'.repeat(500) });
  expect(issue).toMatch(/^a: expected number, found "x{76}…$/);
});
