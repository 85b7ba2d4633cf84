/**
 * Watches the frames of one MQTT connection as their bytes pass (MQTT 3.1.1 §2.2): the broker's
 * parser would collect a frame of any announced length in memory before anyone may refuse it.
 */
export class FrameGuard {
  readonly #maxBytes: number;
  /** Bytes of the current frame's body that are still to come. */
  #bodyLeft = 0;
  /** Within a fixed header: the position in the remaining length, 0 for the first byte. */
  #headerByte = 0;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns false where a frame announces more than the bound, or its length is malformed */
  pass(bytes: Uint8Array): boolean {
    let index = 0;
    while (index < bytes.length) {
      if (this.#bodyLeft > 0) {
        const skipped = Math.min(this.#bodyLeft, bytes.length - index);
        this.#bodyLeft -= skipped;
        index += skipped;
        continue;
      }
      const byte = bytes[index++] ?? 0;
      if (this.#headerByte === 0) {
        this.#headerByte = 1;
        this.#length = 0;
        continue;
      }
      this.#length += (byte & 0x7f) * 128 ** (this.#headerByte - 1);
      if (byte >= 0x80 && this.#headerByte === 4) return false;
      if (byte >= 0x80) {
        this.#headerByte += 1;
        continue;
      }
      if (this.#length > this.#maxBytes) return false;
      this.#bodyLeft = this.#length;
      this.#headerByte = 0;
    }
    return true;
  }
}
