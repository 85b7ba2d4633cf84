import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { ramDirectory, tempDir } from '../../support/temp-dir.ts';
import { litres, openStored, setClock, visit } from './rig.ts';

/**
 * The outbox against a cloud that stores by the protocol's rules (README §3, rule 5) and a list of
 * all that was accepted. Whatever is appended, acknowledged, purged, trimmed, read and restarted in
 * whatever order: in the end every sequence is stored once or stands in a receipt, and every litre
 * and visitor is counted once.
 */
type Op =
  | { do: 'append'; events: readonly { transition: boolean; count: number }[] }
  | { do: 'send'; batches: number; maxEvents: number; lost: boolean }
  | { do: 'welcome' }
  | { do: 'purge' }
  | { do: 'trim'; rows: number }
  | { do: 'restart' }
  | { do: 'new-epoch' };

const ops: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      events: fc.array(fc.record({ transition: fc.boolean(), count: fc.integer({ min: 1, max: 9 }) }), {
        minLength: 1,
        maxLength: 12,
      }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      batches: fc.integer({ min: 1, max: 3 }),
      maxEvents: fc.integer({ min: 1, max: 7 }),
      lost: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('trim' as const), rows: fc.integer({ min: 1, max: 15 }) }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Op>({ do: 'welcome' }, { do: 'purge' }, { do: 'restart' }, { do: 'new-epoch' }),
  },
);

/** One epoch in the cloud: what stands for each sequence, and how far nothing is missing. */
class StoredEpoch {
  readonly told = new Map<number, 'event' | 'gap'>();
  total = 0;
  upTo = 0;

  store(first: number, events: readonly string[]): void {
    let next = first;
    for (const event of events.map((json) => JSON.parse(json))) {
      const last = event.kind === 'gap' ? event.to : next;
      if (event.kind === 'gap') expect(event.from).toBe(next);
      const fresh = Array.from({ length: last - next + 1 }, (_, index) => next + index).filter(
        (seq) => !this.told.has(seq),
      );
      // A receipt that is known in part gives no sums: nothing is ever added twice.
      if (fresh.length === last - next + 1) this.total += countOf(event);
      for (const seq of fresh) this.told.set(seq, event.kind === 'gap' ? 'gap' : 'event');
      next = last + 1;
    }
    while (this.told.has(this.upTo + 1)) this.upTo += 1;
  }
}

function countOf(event: Record<string, unknown>): number {
  const parts = event['kind'] === 'gap' ? Object.values(event['lost'] ?? {}) : [event];
  return parts.reduce((sum, part) => sum + Number(part.in ?? 0) + Number(part.ml ?? 0), 0);
}

class Run {
  readonly dataDir = tempDir(ramDirectory);
  readonly appended = new Map<string, { last: number; total: number }>();
  readonly cloud = new Map<string, StoredEpoch>();
  outbox!: Outbox;

  async start(): Promise<void> {
    this.outbox = (await openStored(this.dataDir)).outbox;
    await setClock(this.outbox);
  }

  async step(op: Op): Promise<void> {
    switch (op.do) {
      case 'append': {
        const entries = op.events.map(({ transition, count }) => (transition ? visit(1, count) : litres(1, count)));
        const appended = await this.outbox.append(entries, {});
        if (!appended.ok) throw new Error('full');
        const total = op.events.reduce((sum, { count }) => sum + count, this.appended.get(appended.epoch)?.total ?? 0);
        this.appended.set(appended.epoch, { last: appended.last, total });
        return;
      }
      case 'send':
        return this.send(op.batches, op.maxEvents, op.lost);
      case 'welcome':
        return this.welcome();
      case 'purge':
        for (const { id, acked } of this.outbox.positions()) await this.outbox.purge(id, acked);
        return;
      case 'trim':
        await this.outbox.trim(op.rows);
        return;
      case 'restart':
        await this.outbox.close();
        await this.start();
        // What a process sent last is told by the welcome that every connection begins with.
        return this.welcome();
      case 'new-epoch':
        await this.outbox.openEpoch();
    }
  }

  /** Go-back-N from what is acknowledged; `lost` batches arrive without their acknowledgement. */
  async send(batches: number, maxEvents: number, lost: boolean): Promise<void> {
    const position = this.outbox.positions().find(({ acked, last }) => acked < last);
    if (!position) return;
    let first = position.acked + 1;
    for (let sent = 0; sent < batches && first <= position.last; sent++) {
      const batch = await this.outbox.read(position.id, first, { maxEvents, maxBytes: 65_536 });
      if (!batch) throw new Error('nothing to read');
      this.stored(position.id).store(first, batch.events);
      first = batch.upTo + 1;
    }
    if (!lost) this.outbox.acknowledge(position.id, this.stored(position.id).upTo);
  }

  async welcome(): Promise<void> {
    for (const { id, last } of this.outbox.positions())
      this.outbox.acknowledge(id, Math.min(last, this.stored(id).upTo));
  }

  stored(epoch: string): StoredEpoch {
    const stored = this.cloud.get(epoch) ?? new StoredEpoch();
    this.cloud.set(epoch, stored);
    return stored;
  }
}

test('whatever happens to it, every sequence is told once and every sum is kept', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(ops, { minLength: 5, maxLength: 40 }), async (steps) => {
      const run = new Run();
      await run.start();
      for (const op of steps) await run.step(op);
      for (let rounds = 0; run.outbox.positions().some(({ acked, last }) => acked < last); rounds++) {
        if (rounds > 500) throw new Error('does not drain');
        await run.send(4, 50, false);
      }
      await run.outbox.close();
      for (const [epoch, { last, total }] of run.appended) {
        const stored = run.stored(epoch);
        expect(stored.told.size).toBe(last);
        expect(stored.total).toBe(total);
      }
    }),
    { numRuns: 60 },
  );
});
