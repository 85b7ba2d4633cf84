import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameGuard } from '../../../cloud/broker/frame-guard.ts';
import { frame } from '../../support/raw-mqtt.ts';

const bound = 300;
const ofSize = (size: number): Buffer => frame(0x30, Buffer.alloc(size, 0xff));

/** The bytes in pieces of these sizes, over and over. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const cut = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 });
const sizes = fc.array(fc.integer({ min: 0, max: bound }), { minLength: 1, maxLength: 20 });

test('frames up to the bound pass, however their bytes are cut', () => {
  fc.assert(
    fc.property(sizes, cut, (lengths, cuts) => {
      const guard = new FrameGuard(bound);
      for (const piece of pieces(Buffer.concat(lengths.map(ofSize)), cuts)) expect(guard.pass(piece)).toBe(true);
    }),
  );
});

test('a frame that announces more is refused by its header, before its body comes', () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: bound + 1, max: 268_435_455 }), cut, (lengths, announced, cuts) => {
      const before = Buffer.concat(lengths.map(ofSize));
      const header = frame(0x30, Buffer.alloc(Math.min(announced, 1))).subarray(0, 1);
      const guard = new FrameGuard(bound);
      const passed = [...pieces(Buffer.concat([before, header, remainingLength(announced)]), cuts)].map((piece) =>
        guard.pass(piece),
      );
      expect(passed.at(-1)).toBe(false);
      expect(passed.slice(0, -5).every((good) => good)).toBe(true);
    }),
  );
});

test.each<[what: string, bytes: number[], passes: boolean]>([
  ['a length of four bytes', [0x30, 0xff, 0xff, 0xff, 0x7f], true],
  ['a length that never ends', [0x30, 0xff, 0xff, 0xff, 0xff], false],
])('%s: passes %s', (_what, bytes, passes) => {
  expect(new FrameGuard(Number.MAX_SAFE_INTEGER).pass(Uint8Array.from(bytes))).toBe(passes);
});

function remainingLength(length: number): Buffer {
  const bytes: number[] = [];
  for (let left = length; bytes.length === 0 || left > 0; left = Math.floor(left / 128))
    bytes.push((left % 128) + (left >= 128 ? 128 : 0));
  return Buffer.from(bytes);
}
