import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batchEnvelopeBytes, decode, encode, encodeBatch, eventJson, maxPayloadBytes } from '../../protocol/codec.ts';
import type { Channel } from '../../protocol/topics.ts';
import { bytesOf, channels, deep, deepened, epoch, good } from './messages.ts';

const causeOf = (channel: Channel, payload: Uint8Array): string => {
  const decoded = decode(channel, payload);
  return decoded.ok ? 'accepted' : decoded.cause;
};
const withByte = (bytes: Buffer, at: number, byte: number): Buffer => {
  bytes[at % bytes.length] = byte;
  return bytes;
};
/** A good message with its text padded to exactly this many bytes. */
const padded = (channel: Channel, bytes: number): Buffer => Buffer.from(JSON.stringify(good[channel]).padEnd(bytes));

describe.each(channels)('%s', (channel) => {
  test('takes its good message and writes it again', () => {
    expect(decode(channel, bytesOf(good[channel]))).toEqual({ ok: true, message: good[channel] });
    expect(decode(channel, encode(channel, good[channel]))).toEqual({ ok: true, message: good[channel] });
  });

  test('ignores fields that it does not know', () => {
    expect(decode(channel, bytesOf({ ...good[channel], mood: 'fine', more: [{}] }))).toEqual({
      ok: true,
      message: good[channel],
    });
  });

  test.each([
    { what: 'the version after this one', v: 2 },
    { what: 'a version before the first', v: 0 },
    { what: 'a version that is no number', v: '1' },
    { what: 'half a version', v: 1.5 },
    { what: 'no version', v: undefined },
    { what: 'a version of null', v: null },
  ])('refuses $what by its version, whatever else is wrong', ({ v }) => {
    expect(causeOf(channel, bytesOf({ ...good[channel], v }))).toBe('version');
    expect(causeOf(channel, bytesOf({ v }))).toBe('version');
  });

  test.each(Object.keys(good[channel]).filter((field) => !['v', 'beat', 'args', 'result', 'error'].includes(field)))(
    'needs %s',
    (field) => {
      const { [field]: _missing, ...rest }: Record<string, unknown> = { ...good[channel] };
      expect(causeOf(channel, bytesOf(rest))).toBe('schema');
    },
  );
});

test.each<[Channel, number]>([
  ['presence', 1024],
  ['reset', 1024],
  ['ack', 1024],
  ['hello', 16_384],
  ['welcome', 16_384],
  ['commands', 16_384],
  ['state', 32_768],
  ['config', 32_768],
  ['replies', 32_768],
  ['events', 65_536],
])('%s has %i bytes at most', (channel, bytes) => {
  expect(maxPayloadBytes[channel]).toBe(bytes);
  expect(causeOf(channel, padded(channel, bytes))).toBe('accepted');
  expect(causeOf(channel, padded(channel, bytes + 1))).toBe('too-large');
});

describe('refuses', () => {
  test.each([
    { what: 'no bytes', bytes: Buffer.alloc(0), cause: 'json' },
    { what: 'half a message', bytes: bytesOf(good.reset).subarray(0, -1), cause: 'json' },
    { what: 'two messages', bytes: Buffer.concat([bytesOf(good.reset), bytesOf(good.reset)]), cause: 'json' },
    { what: 'a byte order mark', bytes: Buffer.concat([Buffer.from('\ufeff'), bytesOf(good.reset)]), cause: 'json' },
    { what: 'a number that JSON has not', bytes: Buffer.from('{"v":1,"session":NaN}'), cause: 'json' },
    { what: 'a byte that is not UTF-8', bytes: Buffer.from([0x22, 0xff, 0x22]), cause: 'utf8' },
    { what: 'a character cut in two', bytes: Buffer.from('"驿').subarray(0, -1), cause: 'utf8' },
    { what: 'a surrogate in UTF-8', bytes: Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), cause: 'utf8' },
    { what: 'null', bytes: Buffer.from('null'), cause: 'version' },
    { what: 'an array', bytes: Buffer.from('[]'), cause: 'version' },
    { what: 'a number', bytes: Buffer.from('1'), cause: 'version' },
    { what: 'a wrong type', bytes: bytesOf({ ...good.reset, session: 5 }), cause: 'schema' },
    { what: 'a wrong text', bytes: bytesOf({ ...good.reset, session: 'a b' }), cause: 'schema' },
  ])('$what as $cause', ({ bytes, cause }) => {
    expect(causeOf('reset', bytes)).toBe(cause);
  });

  test('size before encoding, and encoding before JSON', () => {
    expect(causeOf('reset', Buffer.alloc(1025, 0xff))).toBe('too-large');
    expect(causeOf('reset', Buffer.from([0x7b, 0xff]))).toBe('utf8');
  });

  test('with a detail that says what was expected and found', () => {
    expect(decode('reset', Buffer.alloc(1025))).toMatchObject({ detail: 'expected at most 1024 bytes, found 1025' });
    expect(decode('reset', bytesOf({ v: 9 }))).toMatchObject({ detail: 'expected v 1, found 9' });
    expect(decode('reset', bytesOf({ v: '1' }))).toMatchObject({ detail: 'expected v 1, found string' });
    expect(decode('reset', Buffer.from('{x'))).toMatchObject({ detail: 'expected JSON, found "{x"' });
    const epochs = [{ id: epoch, upTo: -1 }];
    expect(decode('welcome', bytesOf({ ...good.welcome, epochs }))).toMatchObject({
      detail: expect.stringMatching(/^epochs\.0\.upTo: /),
    });
  });

  test.each([
    { what: 'text that is no JSON', bytes: Buffer.from('x'.repeat(30_000)) },
    { what: 'a version', bytes: bytesOf({ v: 'x'.repeat(30_000) }) },
    { what: 'a name', bytes: bytesOf({ ...good.state, sensors: { ['x'.repeat(30_000)]: { health: 'ok' } } }) },
  ])('with a detail that is short however long $what is', ({ bytes }) => {
    const decoded = decode('state', bytes);
    expect(decoded.ok ? '' : decoded.detail).toMatch(/^.{10,200}$/s);
  });

  test.each<{ where: string; channel: Channel; fields: object; levels: number; cause: string }>([
    { where: 'v', channel: 'events', fields: { v: deep }, levels: 30_000, cause: 'version' },
    { where: 'args', channel: 'commands', fields: { args: { deep } }, levels: 7000, cause: 'schema' },
    { where: 'result', channel: 'replies', fields: { result: deep }, levels: 15_000, cause: 'schema' },
    { where: 'body', channel: 'config', fields: { body: { deep } }, levels: 15_000, cause: 'schema' },
    { where: 'args', channel: 'commands', fields: { args: { deep } }, levels: 33, cause: 'schema' },
    { where: 'result', channel: 'replies', fields: { result: deep }, levels: 33, cause: 'schema' },
    { where: 'body', channel: 'config', fields: { body: { deep } }, levels: 33, cause: 'schema' },
  ])('$levels levels of JSON in $where', ({ channel, fields, levels, cause }) => {
    expect(causeOf(channel, deepened({ ...good[channel], ...fields }, levels))).toBe(cause);
  });

  test('and takes 32 levels of what is free in form', () => {
    expect(causeOf('commands', deepened({ ...good.commands, args: { deep } }, 32))).toBe('accepted');
    expect(causeOf('replies', deepened({ ...good.replies, result: deep }, 32))).toBe('accepted');
    expect(causeOf('config', deepened({ ...good.config, body: { deep } }, 32))).toBe('accepted');
  });
});

test('a part of a larger buffer is read within its bounds', () => {
  const whole = Buffer.concat([Buffer.from('noise{'), bytesOf(good.ack), Buffer.from('}noise')]);
  const part = new Uint8Array(whole.buffer, whole.byteOffset + 6, bytesOf(good.ack).length);
  expect(decode('ack', part)).toEqual({ ok: true, message: good.ack });
});

test('a name of the language is a field like any other', () => {
  const text = '{"v":1,"hash":"h","body":{"constructor":1,"__proto__":{"polluted":true}}}';
  const decoded = decode('config', Buffer.from(text));
  expect(decoded).toMatchObject({ ok: true, message: { body: { constructor: 1 } } });
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

describe('bytes', () => {
  test('of a message begin with its version', () => {
    expect(encode('reset', { session: 's' }).toString()).toBe('{"v":1,"session":"s"}');
    const { v: _v, ...ack } = good.ack;
    expect(encode('ack', ack).toString()).toBe(
      `{"v":1,"session":"kq3vN0c8Yt5m","epoch":"${epoch}","upTo":2,"now":1795399200161}`,
    );
  });

  test('of a batch are its events as they are, in their order', () => {
    const batch = encodeBatch({ session: 's', epoch, first: 7, events: ['{"at":1}', '{"at":2,"é":1e2}'] });
    expect(batch.toString()).toBe(
      `{"v":1,"session":"s","epoch":"${epoch}","first":7,"events":[{"at":1},{"at":2,"é":1e2}]}`,
    );
  });

  test('around the events of a batch are never more than what is reserved for them', () => {
    const longest = { session: 'x'.repeat(64), epoch, first: Number.MAX_SAFE_INTEGER };
    expect(encodeBatch({ ...longest, events: [] }).byteLength).toBeLessThanOrEqual(batchEnvelopeBytes);
    expect(batchEnvelopeBytes).toBe(256);
  });

  test.each([
    { time: { at: 5 }, json: '{"at":5,"kind":"sos","sensor":"button","presses":1}' },
    {
      time: { at: 5, atMin: 3, atMax: 9 },
      json: '{"at":5,"atIs":"estimated","atMin":3,"atMax":9,"kind":"sos","sensor":"button","presses":1}',
    },
    {
      time: { at: 5, atMin: 0 },
      json: '{"at":5,"atIs":"estimated","atMin":0,"atMax":5,"kind":"sos","sensor":"button","presses":1}',
    },
  ])('of an event have the time $time in front of the stored body', ({ time, json }) => {
    expect(eventJson('{"kind":"sos","sensor":"button","presses":1}', time)).toBe(json);
  });
});

test('any bytes are decoded to a message or a cause', () => {
  const texts = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json({ maxDepth: 4 }).map((json) => Buffer.from(json)),
    fc.jsonValue({ maxDepth: 3 }).map((value) => bytesOf({ v: 1, ...Object(value) })),
    fc
      .record({ channel: fc.constantFrom(...channels), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
      .map(({ channel, at, byte }) => withByte(bytesOf(good[channel]), at, byte)),
  );
  fc.assert(
    fc.property(fc.constantFrom(...channels), texts, (channel, payload) => {
      const decoded = decode(channel, payload);
      expect(decoded.ok ? 'accepted' : decoded.cause).toMatch(/^(accepted|too-large|utf8|json|version|schema)$/);
    }),
    { numRuns: 1000 },
  );
});

test('what is encoded is decoded to the same', () => {
  const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
  const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const ms = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const epochId = fc.stringMatching(/^[0-9a-f]{32}$/);
  const messages = fc.oneof(
    fc.record({ channel: fc.constant('replies' as const), id: token, ok: fc.boolean(), result: json }),
    fc.record({ channel: fc.constant('ack' as const), session: token, epoch: epochId, upTo: ms, now: ms }),
    fc.record({ channel: fc.constant('presence' as const), online: fc.boolean(), nonce: token }),
  );
  fc.assert(
    fc.property(messages, ({ channel, ...message }) => {
      const sent = JSON.parse(JSON.stringify(message));
      expect(decode(channel, encode(channel, sent))).toEqual({ ok: true, message: { v: 1, ...sent } });
    }),
    { numRuns: 500 },
  );
});
