import { expect, test } from 'vitest';
import { steadyClock } from '../../cloud/steady-clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

const minuteMs = 60_000;

test('who looks first after a jump tells of it before anyone is given the new time', async () => {
  const fake = new FakeClock();
  const jumps: number[] = [];
  const clock = steadyClock(fake, (byMs) => void jumps.push(byMs));
  await fake.advance(minuteMs);
  expect(clock.wallMs()).toBe(fake.wallMs());
  expect(jumps).toEqual([]);
  fake.jumpWall(-5 * minuteMs);
  expect(clock.wallMs()).toBe(fake.wallMs());
  expect(clock.wallMs()).toBe(fake.wallMs());
  fake.jumpWall(3 * minuteMs);
  clock.wallMs();
  expect(jumps).toEqual([-5 * minuteMs, 3 * minuteMs]);
});

test('a clock that is slewed a little at a time does not jump', async () => {
  const fake = new FakeClock();
  const clock = steadyClock(fake, (byMs) => expect.unreachable(`jumped by ${byMs} ms`));
  for (let look = 0; look < 100; look++) {
    await fake.advance(1000);
    fake.jumpWall(500);
    expect(clock.wallMs()).toBe(fake.wallMs());
  }
});
