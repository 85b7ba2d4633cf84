/** How old a station's last report is (protocol README §3, rule 13; README, "The feed"). */
export type Freshness = 'live' | 'late' | 'stale' | 'offline';

export const staleAfterMs = 300_000;
export const offlineAfterMs = 600_000;

/** Live while the report is younger than two of the station's own intervals. */
export function freshnessOf(reportedAt: number, reportIntervalS: number, nowMs: number): Freshness {
  const ageMs = nowMs - reportedAt;
  if (ageMs > offlineAfterMs) return 'offline';
  if (ageMs > staleAfterMs) return 'stale';
  return ageMs <= liveForMs(reportIntervalS) ? 'live' : 'late';
}

/** When the freshness changes next; null once it is offline. */
export function freshnessChangesAt(reportedAt: number, reportIntervalS: number, nowMs: number): number | null {
  const edges = [liveForMs(reportIntervalS), staleAfterMs, offlineAfterMs].map((afterMs) => reportedAt + afterMs + 1);
  const ahead = edges.filter((at) => at > nowMs);
  return ahead.length === 0 ? null : Math.min(...ahead);
}

function liveForMs(reportIntervalS: number): number {
  return Math.min(2 * reportIntervalS * 1000, staleAfterMs);
}
