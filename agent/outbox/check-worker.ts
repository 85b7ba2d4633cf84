import { constants, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { checkIntegrity } from '../../protocol/host/sqlite.ts';

/** Worker: checks the database at `workerData.path` and posts `ok` or what is wrong with it. */
// On Linux a priority is the thread's own: the agent beside it goes first.
setPriority(constants.priority.PRIORITY_LOW);
const db = new Database(String(workerData.path), { readonly: true });
try {
  parentPort?.postMessage(checkIntegrity(db));
} finally {
  db.close();
}
