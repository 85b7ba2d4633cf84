import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import type { AgentIo } from '../../../agent/agent-io.ts';
import { loadConfig } from '../../../agent/config.ts';
import { readBootId } from '../../../agent/ops/host-facts.ts';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { openWire } from '../../../agent/sensors/board/address.ts';
import { startDrivers } from '../../../agent/sensors/start-drivers.ts';
import { openStationOutbox, startAgent } from '../../../agent/start-agent.ts';
import { systemClock } from '../../../protocol/host/clock.ts';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';

/**
 * The agent as it is, in a process of its own, with a disk that counts its transactions. Its parent
 * sends the configuration; it tells how many commits it made once `events` rows are committed.
 */
process.on('message', ({ config: path, events }: { config: string; events: number }) => {
  void run(path, events).then((commits) => process.send?.({ commits }));
});

async function run(path: string, events: number): Promise<number> {
  const config = loadConfig(path);
  let commits = 0;
  const disk: Disk = {
    ...nodeDisk,
    open(file) {
      const db = nodeDisk.open(file);
      const transaction = db.transaction.bind(db);
      db.transaction = ((work: Parameters<typeof transaction>[0]) => {
        commits += 1;
        return transaction(work);
      }) as typeof db.transaction;
      return db;
    },
  };
  const io: AgentIo = {
    clock: systemClock,
    random: Math.random,
    newId: () => randomBytes(16).toString('hex'),
    newToken: () => randomBytes(12).toString('base64url'),
    boot: readBootId(),
    log: pino({ level: 'silent' }),
    disk,
    openSession: openMqttSession,
    openWire,
    turn: () => setImmediate(),
    startDrivers,
    bytesWritten: () => null,
    ntpSynchronised: () => false,
    committed: () => {},
  };
  const stored = await openStationOutbox(config, 'start', io);
  await startAgent(config, 'start', stored, io);
  process.send?.('started');
  const reader = new Database(join(config.dataDir, 'outbox.db'), { readonly: true });
  const last = reader.prepare<[], { last: number | null }>(
    'SELECT max(seq) AS last FROM event WHERE epoch = (SELECT max(n) FROM epoch)',
  );
  const before = commits;
  while ((last.get()?.last ?? 0) < events) await new Promise((resolve) => setTimeout(resolve, 5));
  return commits - before;
}
