import { Readable } from 'node:stream';
import { ReadlineParser } from '@serialport/parser-readline';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineCap } from '../../../../agent/sensors/board/line-cap.ts';

/** What comes out of the cap for bytes that come in these pieces. */
async function capped(pieces: readonly Buffer[]): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const bytes of Readable.from(pieces).pipe(new LineCap())) out.push(bytes);
  return Buffer.concat(out);
}

async function lines(pieces: readonly Buffer[]): Promise<string[]> {
  const parser = Readable.from(pieces)
    .pipe(new LineCap())
    .pipe(new ReadlineParser({ delimiter: '\n', encoding: 'latin1' }));
  const heard: string[] = [];
  parser.on('data', (line: string) => heard.push(line));
  await new Promise((resolve) => parser.once('end', resolve));
  return heard;
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const a = (length: number): string => 'a'.repeat(length);

test.each<{ what: string; bytes: string; passes: string }>([
  { what: 'short lines', bytes: 'ab\r\ncd\n', passes: 'ab\r\ncd\n' },
  { what: 'a full line with its CR', bytes: `${a(255)}\r\n`, passes: `${a(255)}\r\n` },
  { what: 'a line that is too long, still seen to be', bytes: `${a(300)}\nb\n`, passes: `${a(257)}\nb\n` },
  { what: 'many that are', bytes: `${a(400)}\n${a(258)}\n${a(257)}\n`, passes: `${a(257)}\n${a(257)}\n${a(257)}\n` },
  { what: 'bytes without an end', bytes: a(100_000), passes: a(257) },
  { what: 'nothing but ends', bytes: '\n\n\n', passes: '\n\n\n' },
  { what: 'nothing', bytes: '', passes: '' },
])('lets through $what', async ({ bytes, passes }) => {
  expect((await capped([text(bytes)])).toString('latin1')).toBe(passes);
});

test('of a wire that never ends a line it lets through 257 bytes, however many come', async () => {
  const piece = Buffer.alloc(64 * 1024, 0x55);
  const out = await capped([...Array(64).fill(piece), text('\n$next\n')]);
  expect(out.toString('latin1')).toBe(`${'U'.repeat(257)}\n$next\n`);
});

/** The pieces of the bytes that these cuts make. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((part) => Math.floor(part * bytes.length)).sort((x, y) => x - y), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const byteLines = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    fc.integer({ min: 250, max: 260 }).map(a),
    fc.integer({ min: 500, max: 2000 }).map(a),
  ),
  { maxLength: 12 },
);

test('wherever the bytes are split, the same lines are heard, each as far as it is bounded', async () => {
  const share = fc.nat(1000).map((n) => n / 1000);
  await fc.assert(
    fc.asyncProperty(byteLines, fc.array(share, { maxLength: 20 }), async (said, cuts) => {
      const whole = said.map((line) => line.replaceAll('\n', ' '));
      const bytes = text(whole.map((line) => `${line}\n`).join(''));
      const heard = whole.map((line) => line.slice(0, 257)).filter((line) => line !== '');
      expect((await lines(cut(bytes, cuts))).filter((line) => line !== '')).toEqual(heard);
    }),
  );
});

test('split at every single byte, too', async () => {
  const bytes = text(`one\r\n${a(300)}\ntwo\n`);
  for (let at = 0; at <= bytes.length; at += 1) {
    const out = await capped([bytes.subarray(0, at), bytes.subarray(at)]);
    expect(out.toString('latin1')).toBe(`one\r\n${a(257)}\ntwo\n`);
  }
});
