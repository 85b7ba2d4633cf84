// Commits batches of ten events until it is killed, and says what each commit promised.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import { water } from '../../support/station-data.ts';
import { batchItem, batchResult, laneOptions } from './contract/kit.ts';

const [path = '', from = '1'] = process.argv.slice(2);
const store = openSqliteStore(path);
for (let first = Number(from); ; first += 10) {
  const events = Array.from({ length: 10 }, () => water(1));
  const [result] = await store.commit([batchItem({ first, events })], laneOptions);
  writeSync(1, `${batchResult(result).upTo}\n`);
}
