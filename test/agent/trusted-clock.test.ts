import { expect, test } from 'vitest';
import { type ClockSet, TrustedClock, type TrustedClockConfig } from '../../agent/trusted-clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { openIn, startMs } from './outbox/rig.ts';

type Rig = {
  trusted: TrustedClock;
  clock: FakeClock;
  sets: ClockSet[];
  ntp: { now: boolean };
  close: () => Promise<void>;
};

async function start(config: Partial<TrustedClockConfig> = {}, dataDir = tempDir(), boot = 'boot-1'): Promise<Rig> {
  const outbox = await openIn(dataDir, { boot });
  const clock = new FakeClock(startMs, 1000);
  const sets: ClockSet[] = [];
  const ntp = { now: false };
  const settings = {
    trust: 'auto',
    maxUncertaintyMs: 2000,
    toleranceMs: 1000,
    preferSystemMs: 300_000,
    ...config,
  } as const;
  const trusted = new TrustedClock(settings, {
    clock,
    boot,
    outbox,
    ntpSynchronised: () => ntp.now,
    set: (set) => void sets.push(set),
  });
  return { trusted, clock, sets, ntp, close: () => outbox.close() };
}

const cloudSays = ({ trusted, clock }: Rig, wallMs: number, uncertaintyMs = 0): Promise<boolean> =>
  trusted.hearCloud({ monoMs: clock.monotonicMs(), wallMs, uncertaintyMs });

test('before anybody told the time there is none', async () => {
  const { trusted, clock } = await start();
  expect(trusted.wallMs()).toBeNull();
  expect(trusted.moment()).toEqual({ monoMs: clock.monotonicMs(), wallMs: null });
  expect(await trusted.lookAtSystem()).toBe(false);
});

test('the cloud’s time sets it, and it goes on by the monotonic clock whatever the machine’s does', async () => {
  const rig = await start();
  expect(await cloudSays(rig, startMs + 7_000_000)).toBe(true);
  rig.clock.jumpWall(-3_600_000);
  await rig.clock.advance(500);
  expect(rig.trusted.wallMs()).toBe(startMs + 7_000_500);
  expect(rig.sets).toEqual([{ source: 'cloud', movedMs: null }]);
});

test('a small difference or an uncertain word moves nothing, a large one is told by how much it moved', async () => {
  const rig = await start();
  await cloudSays(rig, startMs);
  await cloudSays(rig, startMs + 1000);
  await cloudSays(rig, startMs + 50_000, 2001);
  expect(rig.trusted.wallMs()).toBe(startMs);
  await cloudSays(rig, startMs - 1001);
  expect(rig.trusted.wallMs()).toBe(startMs - 1001);
  expect(rig.sets).toEqual([
    { source: 'cloud', movedMs: null },
    { source: 'cloud', movedMs: -1001 },
  ]);
});

test.each([
  { trust: 'system', ntp: false, cloud: null, system: startMs },
  { trust: 'auto', ntp: false, cloud: startMs + 60_000, system: null },
  { trust: 'auto', ntp: true, cloud: startMs + 60_000, system: startMs },
  { trust: 'cloud', ntp: true, cloud: startMs + 60_000, system: null },
] as const)(
  'trust $trust with NTP $ntp takes the cloud’s word: $cloud, the machine’s: $system',
  async ({ trust, ntp, cloud, system }) => {
    const byCloud = await start({ trust });
    expect(await cloudSays(byCloud, startMs + 60_000)).toBe(cloud !== null);
    expect(byCloud.trusted.wallMs()).toBe(cloud);
    const bySystem = await start({ trust });
    bySystem.ntp.now = ntp;
    expect(await bySystem.trusted.lookAtSystem()).toBe(system !== null);
    expect(bySystem.trusted.wallMs()).toBe(system);
  },
);

test('while NTP keeps the machine’s clock the cloud is not asked; five minutes after it stopped it is', async () => {
  const rig = await start();
  rig.ntp.now = true;
  await rig.trusted.lookAtSystem();
  await cloudSays(rig, startMs + 90_000);
  expect(rig.trusted.wallMs()).toBe(startMs);
  rig.ntp.now = false;
  await rig.clock.advance(299_999);
  await cloudSays(rig, startMs + 900_000);
  expect(rig.trusted.wallMs()).toBe(startMs + 299_999);
  await rig.clock.advance(1);
  await cloudSays(rig, startMs + 900_000);
  expect(rig.trusted.wallMs()).toBe(startMs + 900_000);
});

test('an agent that restarts within a boot knows the time, in the next boot it does not', async () => {
  const dataDir = tempDir();
  const first = await start({}, dataDir);
  await cloudSays(first, startMs + 5000);
  await first.close();
  const again = await start({}, dataDir);
  expect(again.trusted.wallMs()).toBe(startMs + 5000);
  await again.close();
  const nextBoot = await start({}, dataDir, 'boot-2');
  expect(nextBoot.trusted.wallMs()).toBeNull();
});

test('an anchor that cannot be made durable is not used', async () => {
  const rig = await start();
  await rig.close();
  await expect(cloudSays(rig, startMs + 5000)).rejects.toThrow('not open');
  expect(rig.trusted.wallMs()).toBeNull();
  expect(rig.sets).toEqual([]);
});
