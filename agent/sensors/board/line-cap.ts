import { Transform, type TransformCallback } from 'node:stream';
import { maxLineBytes } from '../../../protocol/board-line.ts';

const lineFeed = 0x0a;
/** One more than a good line with its CR: what is cut here is still seen to be overlong. */
const capBytes = maxLineBytes + 2;

/**
 * Bounds every line before `@serialport/parser-readline`, whose buffer grows without limit on a
 * wire that never sends a line feed: bytes beyond the cap are dropped until the next line feed.
 */
export class LineCap extends Transform {
  #lineBytes = 0;

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    // What passes goes on in as few pieces as there are cuts: nearly always one.
    let passFrom = 0;
    for (let start = 0; start < bytes.length; ) {
      const feed = bytes.indexOf(lineFeed, start);
      const end = feed < 0 ? bytes.length : feed;
      const room = Math.max(0, capBytes - this.#lineBytes);
      if (end - start > room) {
        if (start + room > passFrom) this.push(bytes.subarray(passFrom, start + room));
        passFrom = end;
      }
      this.#lineBytes = feed < 0 ? this.#lineBytes + end - start : 0;
      start = feed < 0 ? end : feed + 1;
    }
    if (passFrom < bytes.length) this.push(bytes.subarray(passFrom));
    done();
  }
}
