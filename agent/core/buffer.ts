/** Bounds of the outbox. Sizes in rows and bytes of the database. */
export type BufferConfig = { maxRows: number; maxBytes: number };

export type BufferUse = { rows: number; bytes: number };

export type TrimPlan = { rows: number };

/** Trimming frees this share beyond the bound, so that it does not run at every commit. */
const slack = 0.05;

/**
 * How many rows have to go to come back within the bounds; null where there is room. Which ones is
 * the trim order: acknowledged ones first, then measurements, then transitions, each oldest first.
 */
export function planTrim(use: BufferUse, config: BufferConfig): TrimPlan | null {
  if (use.rows <= config.maxRows && use.bytes <= config.maxBytes) return null;
  const overRows = use.rows - config.maxRows * (1 - slack);
  const rowBytes = use.rows === 0 ? 0 : use.bytes / use.rows;
  const overBytes = rowBytes === 0 ? 0 : (use.bytes - config.maxBytes * (1 - slack)) / rowBytes;
  const rows = Math.ceil(
    Math.max(use.rows > config.maxRows ? overRows : 0, use.bytes > config.maxBytes ? overBytes : 0),
  );
  return { rows: Math.min(use.rows, Math.max(1, rows)) };
}
