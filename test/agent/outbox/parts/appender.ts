import { randomBytes } from 'node:crypto';
import { nodeDisk } from '../../../../agent/outbox/disk.ts';
import { openOutbox } from '../../../../agent/outbox/open-outbox.ts';

/**
 * A process that appends until it is killed, and says on stdout what was committed: the epoch, then
 * the last sequence of every commit. Its memory holds the same number, so that the two can be held
 * against each other.
 */
const { outbox } = await openOutbox({
  disk: nodeDisk,
  dataDir: process.argv[2] ?? '',
  boot: 'boot-1',
  newId: () => randomBytes(16).toString('hex'),
  wallMs: Date.now(),
  checkInlineMaxBytes: Number.MAX_SAFE_INTEGER,
});
await outbox.anchor({ boot: 'boot-1', monoMs: 0, wallMs: 1_795_399_200_000, source: 'system' });
process.stdout.write(`${outbox.currentEpoch()}\n`);
const bodyJson = '{"kind":"people","sensor":"people","in":1,"out":0,"inside":1,"basis":"counted"}';
for (let last = 0; ; ) {
  const entries = [1, 2, 3].map((n) => ({ bodyJson, transition: true, monoMs: last + n }));
  const appended = await outbox.append(entries, { counted: String(last + 3) });
  if (!appended.ok) throw new Error('disk full');
  last = appended.last;
  if (!process.stdout.write(`${last}\n`)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
