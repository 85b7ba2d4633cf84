import { join } from 'node:path';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import type { Outbox, Trimmed } from '../../../agent/outbox/outbox.ts';
import { Writer, type WriterConfig } from '../../../agent/outbox/writer.ts';
import type { EventBody } from '../../../protocol/events.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { openIn, setClock } from './rig.ts';

export type WriterRig = {
  writer: Writer;
  clock: FakeClock;
  outbox: Outbox;
  dataDir: string;
  ballast: string;
  /** What the writer told its owner. */
  committed: number[];
  trimmed: Trimmed[];
  conditions: string[];
  failures: unknown[];
  /** The core's memory: what stands here goes with the next commit. */
  memory: Record<string, string>;
  in: (visitors?: number) => void;
  ml: (amount?: number) => void;
};

const defaults: WriterConfig = {
  maxRows: 1_000_000,
  maxBytes: 256 * 1024 * 1024,
  transitionCommitMs: 50,
  measurementCommitMs: 2000,
  maxPending: 1000,
  ballastBytes: 256 * 1024,
};

/** A writer over a real outbox, by a clock that stands still. */
export async function startWriter(
  options: Partial<WriterConfig> & { disk?: Disk; dataDir?: string; wrap?: (outbox: Outbox) => Outbox } = {},
): Promise<WriterRig> {
  const { disk = nodeDisk, dataDir = tempDir(), wrap = (outbox) => outbox, ...config } = options;
  const outbox = await openIn(dataDir, { disk });
  await setClock(outbox);
  const clock = new FakeClock();
  const ballast = join(dataDir, 'outbox.ballast');
  const told = { committed: [], trimmed: [], conditions: [], failures: [] } as Pick<
    WriterRig,
    'committed' | 'trimmed' | 'conditions' | 'failures'
  >;
  const memory: Record<string, string> = {};
  const writer = new Writer({ ...defaults, ...config }, await outbox.memory(), {
    clock,
    disk,
    outbox: wrap(outbox),
    ballastPath: ballast,
    memory: () => ({ ...memory }),
    committed: ({ last }) => void told.committed.push(last),
    trimmed: (trimmed) => void told.trimmed.push(trimmed),
    conditionChanged: (condition) => void told.conditions.push(condition),
    failed: (error) => void told.failures.push(error),
  });
  const push = (body: EventBody, transition: boolean): void => writer.push({ body, transition }, clock.monotonicMs());
  return {
    writer,
    clock,
    outbox,
    dataDir,
    ballast,
    ...told,
    memory,
    in: (visitors = 1) =>
      push({ kind: 'people', sensor: 'people', in: visitors, out: 0, inside: 1, basis: 'counted' }, true),
    ml: (amount = 1) =>
      push(
        { kind: 'water', sensor: 'water', tankPct: 80, hotC: 90, coldC: null, ml: amount, fault: 0, filterPct: null },
        false,
      ),
  };
}

/** The real outbox but for what is overridden. */
export function overridden(outbox: Outbox, override: (real: Outbox) => Partial<Outbox>): Outbox {
  const own = override(outbox);
  return new Proxy(outbox, {
    get(target, key) {
      const value: unknown = Reflect.get(own, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
