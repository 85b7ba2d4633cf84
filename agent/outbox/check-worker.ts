import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { checkIntegrity } from '../../protocol/host/sqlite.ts';

/** Worker: checks the database at `workerData.path` and posts `ok` or what is wrong with it. */
const db = new Database(String(workerData.path), { readonly: true });
try {
  parentPort?.postMessage(checkIntegrity(db));
} finally {
  db.close();
}
