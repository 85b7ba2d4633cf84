import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { every, sleep, systemClock } from '../../../protocol/host/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { waitFor } from '../../support/wait.ts';

describe('the system’s clock', () => {
  afterEach(() => void vi.useRealTimers());

  test('tells Unix time, and a time of its own that never goes back', () => {
    expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(10_000);
    const readings = Array.from({ length: 1000 }, () => systemClock.monotonicMs());
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
    expect(new Set(readings).size).toBeGreaterThan(1);
  });

  test('the time of its own does not follow the wall', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 0 });
    const before = systemClock.monotonicMs();
    vi.setSystemTime(1e12);
    expect(systemClock.wallMs()).toBe(1e12);
    expect(systemClock.monotonicMs() - before).toBeLessThan(1e9);
  });

  test('runs a task once, not before its time', async () => {
    const startMs = systemClock.monotonicMs();
    const runs: number[] = [];
    systemClock.after(30, () => runs.push(systemClock.monotonicMs() - startMs));
    systemClock.after(-5, () => runs.push(-1));
    await waitFor('both', () => runs.length === 2);
    expect(runs[0]).toBe(-1);
    // Node's timers count whole milliseconds.
    expect(runs[1]).toBeGreaterThanOrEqual(29);
  });

  test('runs no task that was cancelled, and takes a late or second cancellation', async () => {
    const runs: string[] = [];
    const cancel = systemClock.after(0, () => runs.push('cancelled'));
    cancel();
    cancel();
    const done = systemClock.after(1, () => runs.push('done'));
    await waitFor('done', () => runs.length > 0);
    done();
    expect(runs).toEqual(['done']);
  });

  test('waits longer than a timer of Node can', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const dayMs = 86_400_000;
    const runs: string[] = [];
    systemClock.after(60 * dayMs, () => runs.push('sixty days'));
    const cancel = systemClock.after(60 * dayMs, () => runs.push('cancelled'));
    vi.advanceTimersByTime(30 * dayMs);
    cancel();
    vi.advanceTimersByTime(30 * dayMs - 1);
    expect(runs).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(runs).toEqual(['sixty days']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('sleep', () => {
  test('ends after its time, and leaves nothing behind', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    let awake = false;
    void sleep(clock, 100, stop.signal).then(() => {
      awake = true;
    });
    await clock.advance(99);
    expect(awake).toBe(false);
    await clock.advance(1);
    expect(awake).toBe(true);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  test('ends at once when it is aborted, and its timer with it', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const sleeping = sleep(clock, 100, stop.signal);
    stop.abort();
    await sleeping;
    expect(clock.pending).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  test('does not begin where it was aborted before', async () => {
    const clock = new FakeClock();
    await sleep(clock, 100, AbortSignal.abort());
    expect(clock.pending).toBe(0);
  });
});

describe('every', () => {
  const ticking = (task: () => void = () => {}): { clock: FakeClock; runs: number[]; cancel: () => void } => {
    const clock = new FakeClock(0, 0);
    const runs: number[] = [];
    const cancel = every(clock, 10, () => {
      runs.push(clock.monotonicMs());
      task();
    });
    return { clock, runs, cancel };
  };

  test('runs at every point of its grid, the first one period on', async () => {
    const { clock, runs } = ticking();
    await clock.advance(9);
    expect(runs).toEqual([]);
    await clock.advance(31);
    expect(runs).toEqual([10, 20, 30, 40]);
  });

  test.each([
    { lateMs: 3, runs: [13, 20, 30] },
    { lateMs: 9, runs: [19, 20, 30] },
    { lateMs: 10, runs: [20, 30, 40] },
    { lateMs: 15, runs: [25, 30, 40] },
    { lateMs: 47, runs: [57, 60, 70] },
  ])('a run that is $lateMs ms late runs once and does not shift the grid', async ({ lateMs, runs: expected }) => {
    const { clock, runs } = ticking();
    clock.block(10 + lateMs);
    await clock.advance(0);
    await clock.advance(Number(expected[2]) - clock.monotonicMs());
    expect(runs).toEqual(expected);
  });

  test.each([
    { taskMs: 4, runs: [10, 20, 30, 40] },
    { taskMs: 10, runs: [10, 20, 30, 40] },
    { taskMs: 25, runs: [10, 35, 60, 85] },
  ])('a task that takes $taskMs ms is followed by one run at a time', async ({ taskMs, runs: expected }) => {
    const { clock, runs } = ticking(() => clock.block(taskMs));
    await clock.advance(40);
    await clock.advance(Math.max(0, Number(expected[3]) - clock.monotonicMs()));
    expect(runs.slice(0, 4)).toEqual(expected);
  });

  test('runs no more once it is cancelled, from inside too', async () => {
    const outside = ticking();
    await outside.clock.advance(10);
    outside.cancel();
    await outside.clock.advance(100);
    expect(outside.runs).toEqual([10]);
    expect(outside.clock.pending).toBe(0);
    const inside = ticking(() => inside.cancel());
    await inside.clock.advance(100);
    expect(inside.runs).toEqual([10]);
    expect(inside.clock.pending).toBe(0);
  });
});
