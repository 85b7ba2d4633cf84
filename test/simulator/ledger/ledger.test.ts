import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LedgerEntry, LedgerWriter, ledgerStations, readLedger } from '../../../simulator/ledger/ledger.ts';
import { tempDir } from '../../support/temp-dir.ts';

const entries: LedgerEntry[] = [
  { kind: 'begin', at: 1, seed: 7, speed: 30 },
  { kind: 'count', at: 2, sensor: 'people', field: 'in', by: 1 },
  { kind: 'untold', at: 3, sensor: 'water', field: 'ml', by: 250 },
  { kind: 'door', at: 4, open: true },
  { kind: 'event', at: 5, epoch: 'a'.repeat(32), seq: 9, hash: '0123456789abcdef' },
];

function write(directory: string, station: string, some: readonly LedgerEntry[]): void {
  const writer = new LedgerWriter(directory, station);
  for (const entry of some) writer.add(entry);
  writer.flush();
}

test('what is written is read again, over several runs, by station', () => {
  const directory = join(tempDir(), 'ledger');
  write(directory, 'b-2', entries.slice(0, 2));
  write(directory, 'a-1', entries.slice(0, 1));
  write(directory, 'b-2', entries.slice(2));
  expect(ledgerStations(directory)).toEqual(['a-1', 'b-2']);
  expect(readLedger(directory, 'b-2')).toEqual(entries);
});

test('a simulator that was killed while it wrote leaves whole entries, and the next run goes on behind them', () => {
  const directory = tempDir();
  const path = join(directory, 'torn.jsonl');
  write(directory, 'torn', entries);
  const whole = readFileSync(path);
  for (const cut of [1, 10, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, whole.length - cut));
    const kept = readLedger(directory, 'torn');
    expect(kept).toEqual(entries.slice(0, kept.length));
    write(directory, 'torn', entries.slice(0, 1));
    expect(readLedger(directory, 'torn')).toEqual([...kept, entries[0]]);
  }
});

test('a whole line that is no entry is an error, not a truth that is passed over', () => {
  const directory = tempDir();
  write(directory, 'odd', entries);
  appendFileSync(join(directory, 'odd.jsonl'), '{"kind":"count","at":1}\n');
  expect(() => readLedger(directory, 'odd')).toThrow();
});
