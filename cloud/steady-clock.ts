import type { Clock } from '../protocol/host/clock.ts';

/** A clock that is slewed moves less than this between two looks; more is a jump. */
const jumpMs = 2000;

/**
 * The wall clock of a process whose machine may be set right at any moment. The one that looks first
 * after a jump tells `jumped` before it is given the new time, so that whatever was stamped in the old
 * time can move with it: nobody's age changes, and nothing stale is young again.
 */
export function steadyClock(clock: Clock, jumped: (byMs: number) => void): Clock {
  let offsetMs = clock.wallMs() - clock.monotonicMs();
  return {
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => clock.after(delayMs, task),
    wallMs() {
      const wallMs = clock.wallMs();
      const byMs = wallMs - clock.monotonicMs() - offsetMs;
      offsetMs += byMs;
      if (Math.abs(byMs) > jumpMs) jumped(Math.round(byMs));
      return wallMs;
    },
  };
}
