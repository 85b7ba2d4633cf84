/**
 * Which acknowledged rows may go (protocol README §3, rule 7): those that a welcome still covers
 * `keepAckedMs` after the first welcome that covered them. Kept in memory alone: after a restart
 * every age begins again, because the cloud may have been restored meanwhile.
 */
export type Retention = Readonly<Record<string, readonly Cover[]>>;

/** Up to `upTo` the epoch is covered since `sinceMs`; ascending in both. */
type Cover = { upTo: number; sinceMs: number };

export type Purge = { epoch: string; upTo: number };

/** A welcome says that the epoch is stored up to `upTo`. A lower one than before takes the age back. */
export function cover(retention: Retention, epoch: string, upTo: number, nowMs: number): Retention {
  const standing = (retention[epoch] ?? []).filter((known) => known.upTo <= upTo);
  const top = standing.at(-1)?.upTo ?? 0;
  const covers = upTo > top ? [...standing, { upTo, sinceMs: nowMs }] : standing;
  return { ...retention, [epoch]: covers };
}

/** What may be purged by the welcome that was just taken. */
export function purgeable(retention: Retention, nowMs: number, keepAckedMs: number): Purge[] {
  return Object.entries(retention).flatMap(([epoch, covers]) => {
    const old = covers.findLast((known) => nowMs - known.sinceMs >= keepAckedMs);
    return old ? [{ epoch, upTo: old.upTo }] : [];
  });
}

/** Forgets epochs that no longer have rows. */
export function forgetEpochs(retention: Retention, kept: ReadonlySet<string>): Retention {
  return Object.fromEntries(Object.entries(retention).filter(([epoch]) => kept.has(epoch)));
}
