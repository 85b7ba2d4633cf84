import type { Clock } from '../protocol/host/clock.ts';
import { type ClockConfig, type ClockSample, type ClockState, observe, startClock, wallAt } from './core/clock.ts';
import type { Moment } from './core/reading.ts';
import type { Outbox } from './outbox/outbox.ts';

/** How far a new anchor moved the clock: null where there was none before. */
export type ClockSet = { source: ClockSample['source']; movedMs: number | null };

/** Wall time that can be trusted: anchors on the monotonic clock, durable before they are used. */
export class TrustedClock {
  readonly #clock: Clock;
  readonly #config: ClockConfig;
  readonly #outbox: Outbox;
  #state: ClockState;

  constructor(clock: Clock, boot: string, config: ClockConfig, outbox: Outbox) {
    this.#clock = clock;
    this.#config = config;
    this.#outbox = outbox;
    this.#state = startClock(boot, outbox.anchors());
  }

  /** Null while the clock is not trusted. */
  wallMs(): number | null {
    return this.#state.anchor && wallAt(this.#state.anchor, this.#clock.monotonicMs());
  }

  moment(): Moment {
    const monoMs = this.#clock.monotonicMs();
    return { monoMs, wallMs: this.#state.anchor && wallAt(this.#state.anchor, monoMs) };
  }

  /** @returns how the clock was set, or null where it stands as it was */
  async observe(sample: ClockSample): Promise<ClockSet | null> {
    const { state, anchor } = observe(this.#state, sample, this.#config);
    const before = this.#state.anchor;
    if (anchor) await this.#outbox.anchor(anchor);
    this.#state = state;
    if (!anchor) return null;
    return { source: anchor.source, movedMs: before && anchor.wallMs - wallAt(before, anchor.monoMs) };
  }
}
