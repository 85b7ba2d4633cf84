/** The whole country in the administrative division codes of GB/T 2260. */
export const nation = '100000';

/**
 * A district's code with those of its city, province and the nation: `341002` lies in `341000`,
 * `340000` and `100000`.
 */
export function regionChain(adcode: string): string[] {
  return [...new Set([adcode, `${adcode.slice(0, 4)}00`, `${adcode.slice(0, 2)}0000`, nation])];
}
