import { expect, onTestFinished, test } from 'vitest';
import { type Job, startSchedule } from '../../../agent/ops/schedule.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const shanghai = (day: number, hour: number, minute: number, second = 0): number =>
  Date.UTC(2026, 10, day, hour - 8, minute, second);

type Rig = { clock: FakeClock; ran: string[]; trusted: { now: boolean }; stop: () => void };

/** A schedule by a clock that says `wallMs`, looked at every 20 s; runs are noted with their wall time in Shanghai. */
function start(jobs: Record<string, string>, wallMs: number, timeZone = 'Asia/Shanghai', lookMs = 20_000): Rig {
  const clock = new FakeClock(wallMs);
  const ran: string[] = [];
  const trusted = { now: true };
  const asJobs: Job[] = Object.entries(jobs).map(([name, cron]) => ({ name, cron, run: () => void ran.push(name) }));
  const stop = startSchedule(asJobs, { timeZone, lookMs }, clock, () => (trusted.now ? clock.wallMs() : null));
  onTestFinished(stop);
  return { clock, ran, trusted, stop };
}

const quietHour = { quiet: '0 4 * * *' };
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

test('a job runs once in its minute, by the station’s time zone', async () => {
  const { clock, ran } = start(quietHour, shanghai(23, 3, 58));
  await clock.advance(2 * minuteMs - 1000);
  expect(ran).toEqual([]);
  await clock.advance(20_000);
  expect(ran).toEqual(['quiet']);
  await clock.advance(23 * hourMs);
  expect(ran).toEqual(['quiet']);
  await clock.advance(2 * hourMs);
  expect(ran).toEqual(['quiet', 'quiet']);
});

test.each([
  { timeZone: 'UTC', atMs: Date.UTC(2026, 10, 23, 4) },
  { timeZone: 'America/New_York', atMs: Date.UTC(2026, 10, 23, 9) },
])('four in the morning is another moment in $timeZone', async ({ timeZone, atMs }) => {
  const { clock, ran } = start(quietHour, atMs - 3 * minuteMs, timeZone);
  await clock.advance(2 * minuteMs);
  expect(ran).toEqual([]);
  await clock.advance(2 * minuteMs);
  expect(ran).toEqual(['quiet']);
});

test('each job follows its own expression', async () => {
  const { clock, ran } = start(
    { often: '*/10 * * * *', monday: '30 5 * * 1', sunday: '30 5 * * 0' },
    shanghai(23, 5, 1),
  );
  await clock.advance(hourMs);
  // The 23rd of November 2026 is a Monday.
  expect(ran).toEqual(['often', 'often', 'often', 'monday', 'often', 'often', 'often']);
});

test('without a trusted clock nothing runs: a board that boots in 1970 must not take noon for the night', async () => {
  const { clock, ran, trusted } = start({ every: '* * * * *' }, shanghai(23, 4, 0));
  trusted.now = false;
  await clock.advance(10 * minuteMs);
  expect(ran).toEqual([]);
  trusted.now = true;
  await clock.advance(20_000);
  expect(ran).toEqual(['every']);
});

test('a look that comes late catches up with the minutes that it missed', async () => {
  const { clock, ran } = start({ every: '* * * * *', quiet: '0 4 * * *' }, shanghai(23, 3, 57, 30));
  await clock.advance(20_000);
  expect(ran).toEqual(['every']);
  // The process stood still for four minutes.
  clock.jumpWall(4 * minuteMs);
  await clock.advance(20_000);
  expect(ran.filter((job) => job === 'quiet')).toHaveLength(1);
  expect(ran.filter((job) => job === 'every')).toHaveLength(6);
});

test('a clock that jumps far ahead runs what is due now, not all that it jumped over', async () => {
  const { clock, ran } = start({ every: '* * * * *', quiet: '0 4 * * *' }, shanghai(23, 3, 50));
  await clock.advance(20_000);
  clock.jumpWall(12 * hourMs);
  await clock.advance(20_000);
  expect(ran).toEqual(['every', 'every']);
});

test.each([
  { back: '2 s', byMs: 2000 },
  { back: '3 min', byMs: 3 * minuteMs },
])('a clock that is put back by $back runs nothing twice', async ({ byMs }) => {
  const { clock, ran } = start({ ...quietHour, every: '* * * * *' }, shanghai(23, 3, 59));
  await clock.advance(minuteMs + 1000);
  expect(ran).toEqual(['every', 'quiet', 'every']);
  clock.jumpWall(-byMs);
  await clock.advance(byMs + 30_000);
  expect(ran).toEqual(['every', 'quiet', 'every']);
  await clock.advance(minuteMs);
  expect(ran).toEqual(['every', 'quiet', 'every', 'every']);
});

test('a clock that is put back by hours goes on by its new time', async () => {
  const { clock, ran } = start({ every: '* * * * *' }, shanghai(23, 12, 0, 30));
  await clock.advance(20_000);
  clock.jumpWall(-6 * hourMs);
  await clock.advance(3 * minuteMs);
  expect(ran).toHaveLength(4);
});

test('a schedule that is stopped runs nothing more and leaves no timer', async () => {
  const { clock, ran, stop } = start({ every: '* * * * *' }, shanghai(23, 4, 0));
  stop();
  await clock.advance(10 * minuteMs);
  expect(ran).toEqual([]);
  expect(clock.pending).toBe(0);
});
