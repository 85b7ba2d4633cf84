import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';

/** The same state is not sent more often than this. */
const coalesceMs = 1000;

export type StateLane = {
  /** The live state differs from what was sent last. */
  changed: () => void;
  /** A connection is there: what is true now goes before anything else. */
  connected: () => void;
  stop: Cancel;
};

/**
 * The live lane: at most one state a second, and one on every tick of the report interval, counted
 * from the connection. The regular ones are marked, and no change moves them: their times tell
 * nothing of what happens in the station.
 *
 * @param send returns false while there is no connection
 */
export function startStateLane(clock: Clock, reportIntervalMs: number, send: (beat: boolean) => boolean): StateLane {
  let sentAtMs = Number.NEGATIVE_INFINITY;
  let waiting: Cancel | null = null;
  let beatAtMs = clock.monotonicMs() + reportIntervalMs;
  let stopBeat = every(clock, reportIntervalMs, beat);
  function beat(): void {
    while (beatAtMs <= clock.monotonicMs()) beatAtMs += reportIntervalMs;
    sendNow(true);
  }
  function sendNow(beat: boolean): void {
    waiting?.();
    waiting = null;
    if (send(beat)) sentAtMs = clock.monotonicMs();
  }
  return {
    changed() {
      if (waiting) return;
      const nowMs = clock.monotonicMs();
      const dueMs = Math.max(nowMs, sentAtMs + coalesceMs);
      // So near to it the regular report carries the change.
      if (dueMs > beatAtMs - coalesceMs) return;
      waiting = dueMs === nowMs ? soon(() => sendNow(false)) : clock.after(dueMs - nowMs, () => sendNow(false));
    },
    connected() {
      stopBeat();
      beatAtMs = clock.monotonicMs() + reportIntervalMs;
      stopBeat = every(clock, reportIntervalMs, beat);
      sendNow(true);
    },
    stop() {
      stopBeat();
      waiting?.();
    },
  };
}

/** After what runs now: the lines of one read, and the changes of one line, make one state. */
function soon(task: () => void): Cancel {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) task();
  });
  return () => {
    cancelled = true;
  };
}
