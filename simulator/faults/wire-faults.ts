import type { Random } from '../core/random.ts';

/** What goes wrong on a board's wire, by chance or by the clock; 0 is never. */
export type WireFaults = {
  /** Share of lines in which a byte is another one. */
  garble: number;
  /** Share of lines that never arrive. */
  drop: number;
  unplugEveryS: number;
  unplugForS: number;
  restartEveryS: number;
};

export const noFaults: WireFaults = { garble: 0, drop: 0, unplugEveryS: 0, unplugForS: 5, restartEveryS: 0 };

/** The line as it arrives; null where it does not. `intact` tells whether it arrives as it was sent. */
export function sufferLine(
  line: string,
  faults: WireFaults,
  random: Random,
): { bytes: Buffer | null; intact: boolean } {
  if (random.chance(faults.drop)) return { bytes: null, intact: false };
  const bytes = Buffer.from(line, 'latin1');
  if (!random.chance(faults.garble)) return { bytes, intact: true };
  const index = random.int(bytes.length - 2);
  bytes[index] = (bytes[index] ?? 0) ^ (1 + random.int(255));
  return { bytes, intact: false };
}
