import type { Clock } from '../protocol/host/clock.ts';
import { type ClockConfig, type ClockSample, type ClockState, observe, startClock, wallAt } from './core/clock.ts';
import type { Moment } from './core/reading.ts';
import type { Outbox } from './outbox/outbox.ts';

/** How far a new anchor moved the clock: null where there was none before. */
export type ClockSet = { source: ClockSample['source']; movedMs: number | null };

export type TrustedClockConfig = ClockConfig & {
  /** Whose word counts: the machine's always, the cloud's alone, or the machine's while NTP keeps it. */
  trust: 'auto' | 'system' | 'cloud';
};

export type TrustedClockIo = {
  clock: Clock;
  /** Id of this boot of the machine. */
  boot: string;
  outbox: Pick<Outbox, 'anchor' | 'anchors'>;
  ntpSynchronised: () => boolean;
  /** An anchor was set, and is durable. */
  set: (set: ClockSet) => void;
};

/** Wall time that can be trusted: anchors on the monotonic clock, durable before they are used. */
export class TrustedClock {
  readonly #config: TrustedClockConfig;
  readonly #io: TrustedClockIo;
  #state: ClockState;

  constructor(config: TrustedClockConfig, io: TrustedClockIo) {
    this.#config = config;
    this.#io = io;
    this.#state = startClock(io.boot, io.outbox.anchors());
  }

  /** Null while the clock is not trusted. */
  wallMs(): number | null {
    return this.moment().wallMs;
  }

  moment(): Moment {
    const monoMs = this.#io.clock.monotonicMs();
    return { monoMs, wallMs: this.#state.anchor && wallAt(this.#state.anchor, monoMs) };
  }

  /** Hears the cloud's time. @returns whether the clock is trusted now */
  async hearCloud(sample: Omit<ClockSample, 'source'>): Promise<boolean> {
    if (this.#config.trust !== 'system') await this.#observe({ ...sample, source: 'cloud' });
    return this.#state.anchor !== null;
  }

  /** Looks at the machine's own clock, where that may be trusted. @returns whether the clock is trusted now */
  async lookAtSystem(): Promise<boolean> {
    const { clock, ntpSynchronised } = this.#io;
    const { trust } = this.#config;
    if (trust === 'system' || (trust === 'auto' && ntpSynchronised()))
      await this.#observe({ source: 'system', monoMs: clock.monotonicMs(), wallMs: clock.wallMs(), uncertaintyMs: 0 });
    return this.#state.anchor !== null;
  }

  async #observe(sample: ClockSample): Promise<void> {
    const { state, anchor } = observe(this.#state, sample, this.#config);
    const before = this.#state.anchor;
    if (anchor) await this.#io.outbox.anchor(anchor);
    this.#state = state;
    if (anchor)
      this.#io.set({ source: anchor.source, movedMs: before && anchor.wallMs - wallAt(before, anchor.monoMs) });
  }
}
