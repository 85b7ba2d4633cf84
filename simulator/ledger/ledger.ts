import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
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

export function readLedger(directory: string, station: string): LedgerEntry[] {
  const lines = readFileSync(join(directory, `${station}.jsonl`), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => entrySchema.parse(JSON.parse(line)));
}
