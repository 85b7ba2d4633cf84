import type { Statements } from '../../protocol/host/statements.ts';
import { type Anchor, type BootEstimate, type BootSpan, estimateBoots, wallAt } from '../core/clock.ts';
import type { TimeBase } from './batch.ts';

type BootRow = {
  n: number;
  id: string;
  first_mono_ms: number | null;
  last_mono_ms: number | null;
  lower_ms: number | null;
  upper_ms: number | null;
};

const sql = {
  insertBoot: 'INSERT INTO boot (id) VALUES (?) ON CONFLICT (id) DO NOTHING',
  boots: 'SELECT n, id, first_mono_ms, last_mono_ms, lower_ms, upper_ms FROM boot ORDER BY n',
  anchors:
    'SELECT a.n, b.id AS boot, a.mono_ms AS monoMs, a.wall_ms AS wallMs, a.source FROM anchor a JOIN boot b ON b.n = a.boot ORDER BY a.n',
  insertAnchor: 'INSERT INTO anchor (boot, mono_ms, wall_ms, source) VALUES (?, ?, ?, ?)',
  estimate: 'UPDATE boot SET first_mono_ms = ?, last_mono_ms = ?, lower_ms = ?, upper_ms = ? WHERE n = ?',
  epochs: 'SELECT n FROM epoch WHERE boot = ?',
  firstRow: 'SELECT mono_ms FROM event WHERE epoch = ? ORDER BY seq LIMIT 1',
  lastRow: 'SELECT mono_ms FROM event WHERE epoch = ? ORDER BY seq DESC LIMIT 1',
  firstGap: 'SELECT mono_ms FROM gap WHERE epoch = ? ORDER BY from_seq LIMIT 1',
  lastGap: 'SELECT mono_ms FROM gap WHERE epoch = ? ORDER BY from_seq DESC LIMIT 1',
  dropAnchors: 'DELETE FROM anchor WHERE boot <> ? AND boot NOT IN (SELECT boot FROM epoch)',
  dropBoots: 'DELETE FROM boot WHERE n <> ? AND n NOT IN (SELECT boot FROM epoch)',
} as const;

/** Boots of the machine and their anchors: what gives a stored row its wall time (protocol README §3, rule 12). */
export class BootTimes {
  readonly #statements: Statements;
  readonly #boot: string;
  #boots: BootRow[] = [];
  #anchors: (Anchor & { n: number })[] = [];

  /** @param boot id of this boot of the machine */
  constructor(statements: Statements, boot: string) {
    this.#statements = statements;
    this.#boot = boot;
    statements.run(sql.insertBoot, boot);
    this.reload();
  }

  /** Order of this boot in the file. */
  get current(): number {
    return this.#boots.find((boot) => boot.id === this.#boot)?.n ?? 0;
  }

  get anchors(): readonly Anchor[] {
    return this.#anchors;
  }

  /** The anchor that new rows hang on; null before this boot has one. */
  get anchorInForce(): number | null {
    return this.#anchors.findLast((known) => known.boot === this.#boot)?.n ?? null;
  }

  /** Writes an anchor, inside its owner's transaction; `reload` after that. */
  write(anchor: Anchor): void {
    if (!this.#anchors.some((known) => known.boot === anchor.boot)) this.#boundEarlierBoots(anchor);
    this.#statements.run(sql.insertAnchor, this.current, anchor.monoMs, anchor.wallMs, anchor.source);
  }

  /** Forgets boots that no epoch is left of, inside its owner's transaction; `reload` after that. */
  forgetUnused(): void {
    this.#statements.run(sql.dropAnchors, this.current);
    this.#statements.run(sql.dropBoots, this.current);
  }

  reload(): void {
    this.#boots = this.#statements.all<BootRow>(sql.boots);
    this.#anchors = this.#statements.all<Anchor & { n: number }>(sql.anchors);
  }

  timeBase(bootN: number): TimeBase {
    const boot = this.#boots.find((known) => known.n === bootN);
    const own = this.#anchors.filter((anchor) => anchor.boot === boot?.id);
    return {
      anchors: new Map(own.map((anchor) => [anchor.n, anchor])),
      first: own[0] ?? null,
      estimate: boot ? estimateOf(boot) : null,
    };
  }

  #boundEarlierBoots(anchor: Anchor): void {
    const anchored = new Set(this.#anchors.map((known) => known.boot));
    const lost = this.#boots.filter(
      (boot) => boot.n < this.current && !anchored.has(boot.id) && boot.upper_ms === null,
    );
    const spans = lost.flatMap((boot) => this.#spanOf(boot));
    const earlier = this.#boots.filter((boot) => anchored.has(boot.id) && boot.n < (lost[0]?.n ?? 0)).at(-1);
    const estimates = estimateBoots(spans, earlier ? this.#lastWallOf(earlier) : 0, anchor);
    for (const boot of lost) {
      const estimate = estimates.get(boot.id);
      if (!estimate) continue;
      const bounds = [estimate.firstMonoMs, estimate.lastMonoMs, estimate.lowerMs, estimate.upperMs];
      this.#statements.run(sql.estimate, ...bounds.map(Math.round), boot.n);
    }
  }

  /** First and last monotonic time of the boot's rows and receipts; within an epoch they stand in order. */
  #spanOf(boot: BootRow): BootSpan[] {
    const ends = [sql.firstRow, sql.lastRow, sql.firstGap, sql.lastGap];
    const times = this.#statements
      .all<{ n: number }>(sql.epochs, boot.n)
      .flatMap(({ n }) => ends.map((end) => this.#statements.get<{ mono_ms: number }>(end, n)))
      .flatMap((row) => (row ? [row.mono_ms] : []));
    if (times.length === 0) return [];
    return [{ boot: boot.id, firstMonoMs: Math.min(...times), lastMonoMs: Math.max(...times) }];
  }

  /** Wall time of the last thing known of a boot that had a clock. */
  #lastWallOf(boot: BootRow): number {
    const anchor = this.#anchors.findLast((known) => known.boot === boot.id);
    if (!anchor) return 0;
    const [span] = this.#spanOf(boot);
    return Math.max(anchor.wallMs, span ? wallAt(anchor, span.lastMonoMs) : 0);
  }
}

function estimateOf({ first_mono_ms, last_mono_ms, lower_ms, upper_ms }: BootRow): BootEstimate | null {
  if (first_mono_ms === null || last_mono_ms === null || lower_ms === null || upper_ms === null) return null;
  return { firstMonoMs: first_mono_ms, lastMonoMs: last_mono_ms, lowerMs: lower_ms, upperMs: upper_ms };
}
