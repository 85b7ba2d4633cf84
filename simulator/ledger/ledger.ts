import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const countedFields = ['in', 'out', 'ml', 'mwh', 'presses'] as const;
export type CountedField = (typeof countedFields)[number];

const at = z.number();
const amount = { sensor: z.string(), field: z.enum(countedFields), by: z.number() };

/**
 * Ground truth of one simulated station. `count` is what its sensors counted; `untold` is what a
 * board had counted and lost in a restart before any intact line told it: nobody can know of it.
 * `event` is one event of a simulated agent, by its key and the hash of its bytes.
 */
const entrySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('begin'), at, seed: z.number(), speed: z.number() }),
  z.object({ kind: z.literal('count'), at, ...amount }),
  z.object({ kind: z.literal('untold'), at, ...amount }),
  z.object({ kind: z.literal('door'), at, open: z.boolean() }),
  z.object({ kind: z.literal('event'), at, epoch: z.string(), seq: z.number(), hash: z.string() }),
]);

export type LedgerEntry = z.infer<typeof entrySchema>;

/** Appends truth to `<dir>/<station>.jsonl`, a line an entry. */
export class LedgerWriter {
  readonly #path: string;
  #pending: string[] = [];

  constructor(directory: string, station: string) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, `${station}.jsonl`);
    if (existsSync(this.#path)) truncateSync(this.#path, wholeLines(readFileSync(this.#path)).length);
  }

  add(entry: LedgerEntry): void {
    this.#pending.push(`${JSON.stringify(entry)}\n`);
  }

  /** Truth is written before the wire tells it: a simulator that is killed leaves no phantom. */
  flush(): void {
    if (this.#pending.length === 0) return;
    appendFileSync(this.#path, this.#pending.join(''));
    this.#pending = [];
  }
}

/** Stations that have a ledger in the directory. */
export function ledgerStations(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => file.slice(0, -'.jsonl'.length))
    .sort();
}

/** @throws Error where a whole line is no entry */
export function readLedger(directory: string, station: string): LedgerEntry[] {
  const lines = wholeLines(readFileSync(join(directory, `${station}.jsonl`)))
    .toString()
    .split('\n');
  return lines.filter((line) => line !== '').map((line) => entrySchema.parse(JSON.parse(line)));
}

/** A simulator that is killed while it writes leaves half a line: no wire ever told what it says. */
function wholeLines(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
}
