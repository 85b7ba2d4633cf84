import { expect, onTestFinished, test } from 'vitest';
import { type StateLane, startStateLane } from '../../../agent/link/state-lane.ts';
import { FakeClock } from '../../support/fake-clock.ts';

type Sent = { atMs: number; beat: boolean };

/** A lane that reports every 30 s; `sent` in ms since its start. */
function startLane(takes: () => boolean = () => true): { lane: StateLane; clock: FakeClock; sent: Sent[] } {
  const clock = new FakeClock();
  const startedMs = clock.monotonicMs();
  const sent: Sent[] = [];
  const lane = startStateLane(clock, 30_000, (beat) => {
    if (!takes()) return false;
    sent.push({ atMs: clock.monotonicMs() - startedMs, beat });
    return true;
  });
  onTestFinished(() => lane.stop());
  return { lane, clock, sent };
}

const at = (atMs: number): Sent => ({ atMs, beat: false });
const beat = (atMs: number): Sent => ({ atMs, beat: true });

test('a state goes every report interval, marked as the regular one', async () => {
  const { clock, sent } = startLane();
  await clock.advance(90_000);
  expect(sent).toEqual([beat(30_000), beat(60_000), beat(90_000)]);
});

test('a change goes at once, once for all that one turn changed, and is not marked', async () => {
  const { lane, clock, sent } = startLane();
  await clock.advance(5000);
  lane.changed();
  lane.changed();
  expect(sent).toEqual([]);
  await clock.advance(0);
  expect(sent).toEqual([at(5000)]);
});

test('changes that keep coming make one state a second, with the last change in it', async () => {
  const { lane, clock, sent } = startLane();
  await clock.advance(5000);
  for (let n = 0; n < 25; n++) {
    lane.changed();
    await clock.advance(100);
  }
  await clock.advance(5000);
  expect(sent).toEqual([at(5000), at(6000), at(7000), at(8000)]);
});

test.each([
  { changes: [29_000], sent: [at(29_000), beat(30_000)] },
  { changes: [29_001], sent: [beat(30_000)] },
  { changes: [29_999], sent: [beat(30_000)] },
  { changes: [28_000, 28_500], sent: [at(28_000), at(29_000), beat(30_000)] },
  { changes: [28_500, 28_600], sent: [at(28_500), beat(30_000)] },
  { changes: [30_500], sent: [beat(30_000), at(31_000)] },
])(
  'changes at $changes ms and the regular report make no two states within a second',
  async ({ changes, sent: expected }) => {
    const { lane, clock, sent } = startLane();
    let nowMs = 0;
    for (const change of changes) {
      await clock.advance(change - nowMs);
      lane.changed();
      nowMs = change;
    }
    await clock.advance(35_000 - nowMs);
    expect(sent).toEqual(expected);
  },
);

test('the regular report is not moved by changes: its time would tell of them', async () => {
  const { lane, clock, sent } = startLane();
  for (const ms of [29_700, 29_300, 29_400]) {
    await clock.advance(ms);
    lane.changed();
    await clock.advance(30_000 - ms);
  }
  expect(sent.filter((state) => state.beat)).toEqual([beat(30_000), beat(60_000), beat(90_000)]);
});

test('a new connection is told at once, and from then on every report interval', async () => {
  const { lane, clock, sent } = startLane();
  await clock.advance(29_900);
  lane.connected();
  await clock.advance(31_000);
  expect(sent).toEqual([beat(29_900), beat(59_900)]);
});

test('while nothing can be sent nothing waits, and the next connection is told everything', async () => {
  let connected = false;
  const { lane, clock, sent } = startLane(() => connected);
  lane.changed();
  await clock.advance(100_000);
  connected = true;
  lane.connected();
  await clock.advance(999);
  lane.changed();
  await clock.advance(1);
  expect(sent).toEqual([beat(100_000), at(101_000)]);
});

test('a lane that is stopped sends nothing more and leaves no timer', async () => {
  const { lane, clock, sent } = startLane();
  await clock.advance(5000);
  lane.changed();
  await clock.advance(0);
  lane.changed();
  lane.stop();
  await clock.advance(100_000);
  expect(sent).toEqual([at(5000)]);
  expect(clock.pending).toBe(0);
});

test('a lane that is stopped in the same turn as a change does not send it', async () => {
  const { lane, clock, sent } = startLane();
  lane.changed();
  lane.stop();
  await clock.advance(1000);
  expect(sent).toEqual([]);
});
