/**
 * Wall time as an anchor on the monotonic clock of one boot. Anchors are durable and append-only,
 * so that an event's time never depends on when it is sent (protocol README §3, rule 12).
 */
export type Anchor = { boot: string; monoMs: number; wallMs: number; source: ClockSource };

/** `system`: the machine's own clock while NTP keeps it. `cloud`: the cloud's `now`. */
export type ClockSource = 'system' | 'cloud';

export type ClockConfig = {
  /** A sample less certain than this says nothing, ms. */
  maxUncertaintyMs: number;
  /** A new anchor is set where the clock is off by more than this beyond the uncertainty, ms. */
  toleranceMs: number;
  /** The cloud's time is not asked while the system's was good within this time, ms. */
  preferSystemMs: number;
};

export type ClockState = { boot: string; anchor: Anchor | null; systemAtMs: number | null };

export type ClockSample = { source: ClockSource; monoMs: number; wallMs: number; uncertaintyMs: number };

export function startClock(boot: string, anchors: readonly Anchor[]): ClockState {
  return { boot, anchor: anchors.findLast((anchor) => anchor.boot === boot) ?? null, systemAtMs: null };
}

/** @returns the anchor to make durable before it is used, or null where the clock stands as it is */
export function observe(
  state: ClockState,
  sample: ClockSample,
  config: ClockConfig,
): { state: ClockState; anchor: Anchor | null } {
  const systemAtMs = sample.source === 'system' ? sample.monoMs : state.systemAtMs;
  const next = { ...state, systemAtMs };
  const systemRules = state.systemAtMs !== null && sample.monoMs - state.systemAtMs < config.preferSystemMs;
  if (sample.uncertaintyMs > config.maxUncertaintyMs || (sample.source === 'cloud' && systemRules))
    return { state: next, anchor: null };
  const anchor: Anchor = {
    boot: state.boot,
    monoMs: Math.round(sample.monoMs),
    wallMs: Math.round(sample.wallMs),
    source: sample.source,
  };
  if (
    state.anchor &&
    Math.abs(wallAt(state.anchor, sample.monoMs) - sample.wallMs) <= sample.uncertaintyMs + config.toleranceMs
  ) {
    return { state: next, anchor: null };
  }
  return { state: { ...next, anchor }, anchor };
}

export function wallAt(anchor: Anchor, monoMs: number): number {
  return Math.round(anchor.wallMs + (monoMs - anchor.monoMs));
}

/** What a boot that never saw a clock is known to lie between. */
export type BootEstimate = { firstMonoMs: number; lastMonoMs: number; lowerMs: number; upperMs: number };

export type EventTime = { at: number; atMin?: number; atMax?: number };

/** The time of an event of a boot without any anchor: midway between its bounds. */
export function estimatedTime(estimate: BootEstimate, monoMs: number): EventTime {
  const atMin = Math.round(estimate.lowerMs + (monoMs - estimate.firstMonoMs));
  const atMax = Math.max(atMin, Math.round(estimate.upperMs - (estimate.lastMonoMs - monoMs)));
  return { at: Math.round((atMin + atMax) / 2), atMin, atMax };
}

/** One boot in the outbox, in the order of first sight, with the events that it wrote. */
export type BootSpan = { boot: string; firstMonoMs: number; lastMonoMs: number };

/**
 * Bounds for the boots before the first anchor of a later one: they ended before it began. To be
 * called once, when that anchor is set, and kept: later trims must not move them.
 *
 * @param lowerMs wall time of the last anchored event before them; 0 where there is none
 */
export function estimateBoots(spans: readonly BootSpan[], lowerMs: number, anchor: Anchor): Map<string, BootEstimate> {
  const estimates = new Map<string, BootEstimate>();
  const uppers: number[] = [];
  let upperMs = anchor.wallMs - anchor.monoMs;
  for (const span of spans.toReversed()) {
    uppers.unshift(upperMs);
    upperMs -= span.lastMonoMs;
  }
  let earliestMs = lowerMs;
  spans.forEach((span, index) => {
    const { boot, firstMonoMs, lastMonoMs } = span;
    const upper = uppers[index] ?? upperMs;
    const lower = lowerMs === 0 ? upper - (lastMonoMs - firstMonoMs) : earliestMs;
    estimates.set(boot, { firstMonoMs, lastMonoMs, lowerMs: Math.min(lower, upper), upperMs: upper });
    earliestMs += lastMonoMs - firstMonoMs;
  });
  return estimates;
}
