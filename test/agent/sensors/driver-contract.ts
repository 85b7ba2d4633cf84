import { isDeepStrictEqual } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DriverConfig } from '../../../agent/config.ts';
import { openWire } from '../../../agent/sensors/board/address.ts';
import type { Driver, DriverEvent } from '../../../agent/sensors/driver.ts';
import { startDrivers } from '../../../agent/sensors/start-drivers.ts';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { waitFor } from '../../support/wait.ts';
import type { Rig } from './rigs.ts';

/** A driver under a clock that stands still; its wire is real. */
export class RunningDriver {
  readonly clock = new FakeClock();
  readonly events: DriverEvent[] = [];
  readonly #driver: Driver;
  random: number;
  #seen = 0;

  constructor(config: DriverConfig, random = 0) {
    this.random = random;
    const [driver] = startDrivers([config], {
      clock: this.clock,
      random: () => this.random,
      openSession: openMqttSession,
      openWire,
      emit: (source, event) => {
        expect(source).toBe(config.name);
        this.events.push(event);
      },
    });
    if (!driver) throw new Error('no driver');
    this.#driver = driver;
    onTestFinished(() => this.stop());
  }

  /** The next event that matches; what came before it is past. */
  next(event: Partial<DriverEvent>): Promise<DriverEvent> {
    return waitFor(JSON.stringify(event), () => {
      const index = this.events.findIndex((told, at) => at >= this.#seen && matches(told, event));
      if (index < 0) return null;
      this.#seen = index + 1;
      return this.events[index];
    });
  }

  async stop(): Promise<void> {
    await this.#driver[Symbol.asyncDispose]();
  }
}

function matches(told: DriverEvent, event: object): boolean {
  const fields: Record<string, unknown> = { ...told };
  return Object.entries(event).every(([key, value]) => isDeepStrictEqual(fields[key], value));
}

/** Half a second at first, doubled up to half a minute; chance takes up to a half off. */
const shortestWaits = [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000];
const stableMs = 10_000;

/**
 * What every driver promises (agent/sensors/driver.ts), over its own wire.
 *
 * @param unanswered the driver at an address that neither answers nor refuses, where its wire may be such a one
 */
export function describeDriver(name: string, open: () => Promise<Rig>, unanswered?: () => Promise<DriverConfig>): void {
  async function start(): Promise<{ rig: Rig; driver: RunningDriver }> {
    const rig = await open();
    const driver = new RunningDriver(rig.config);
    await driver.next({ type: 'opened' });
    return { rig, driver };
  }

  async function says({ rig, driver }: { rig: Rig; driver: RunningDriver }, isOpen: boolean): Promise<void> {
    await rig.door(isOpen);
    await driver.next(rig.reading(isOpen));
  }

  describe(name, () => {
    test('says that it opened, then what it reads', async () => {
      const running = await start();
      expect(running.driver.events).toEqual([{ type: 'opened' }]);
      await says(running, true);
      await says(running, false);
    });

    test('tells bad input by its cause, and lives on', async () => {
      const running = await start();
      for (const { what, say, told } of running.rig.bad) {
        await say();
        expect(await running.driver.next(told), what).toMatchObject(told);
      }
      await says(running, true);
    });

    test('survives garbage at full speed and reads what comes after it', async () => {
      const running = await start();
      await running.rig.garbage();
      await says(running, true);
      expect(running.driver.events.filter(({ type }) => type === 'reading')).toHaveLength(1);
      expect(running.driver.events.some(({ type }) => type === 'rejected')).toBe(true);
    });

    test('waits longer and longer for a wire that is unplugged, and comes back at the same address', async () => {
      const running = await start();
      const { rig, driver } = running;
      await rig.unplug();
      for (const waitMs of shortestWaits) {
        await driver.next({ type: 'closed' });
        await driver.clock.advance(waitMs - 1);
        expect(driver.clock.pending).toBe(1);
        await driver.clock.advance(1);
      }
      await driver.next({ type: 'closed' });
      await rig.plugIn();
      await driver.clock.advance(30_000);
      await driver.next({ type: 'opened' });
      await says(running, false);
    });

    test('takes its wait by chance, so that not all come back together', async () => {
      const { rig, driver } = await start();
      driver.random = 0.999_999;
      await rig.unplug();
      await driver.next({ type: 'closed' });
      await driver.clock.advance(499);
      expect(driver.clock.pending).toBe(1);
      await driver.clock.advance(1);
      await driver.next({ type: 'closed' });
    });

    test('a wire that lasted is waited for as at first, one that hardly did is not', async () => {
      const { rig, driver } = await start();
      for (const [lastedMs, waitMs] of [
        [stableMs - 1, 250],
        [stableMs - 1, 500],
        [stableMs, 250],
      ] as const) {
        // Just short of the silence after which a board's wire is opened anew.
        await driver.clock.advance(lastedMs - 1);
        await rig.door(true);
        await driver.next(rig.reading(true));
        await driver.clock.advance(1);
        await rig.unplug();
        await driver.next({ type: 'closed' });
        await rig.plugIn();
        await driver.clock.advance(waitMs - 1);
        expect(driver.clock.pending).toBe(1);
        await driver.clock.advance(1);
        await driver.next({ type: 'opened' });
      }
    });

    test('stops at once while it is open, and holds nothing any more', async () => {
      const running = await start();
      await says(running, true);
      expect(running.rig.held()).toBe(1);
      await running.driver.stop();
      await waitFor('its wire to be let go', () => running.rig.held() === 0);
      expect(running.driver.clock.pending).toBe(0);
      const told = running.driver.events.length;
      await running.rig.door(false);
      expect(running.driver.events).toHaveLength(told);
      expect(running.driver.events.map(({ type }) => type)).not.toContain('closed');
    });

    test('stops at once while it waits for its wire', async () => {
      const { rig, driver } = await start();
      await rig.unplug();
      await driver.next({ type: 'closed' });
      await driver.stop();
      expect(driver.clock.pending).toBe(0);
    });

    test('stops at once before it opened', async () => {
      const rig = await open();
      const driver = new RunningDriver(rig.config);
      await driver.stop();
      await waitFor('its wire to be let go', () => rig.held() === 0);
      expect(driver.clock.pending).toBe(0);
    });

    if (!unanswered) return;
    test('stops at once while nobody answers it', async () => {
      const driver = new RunningDriver(await unanswered());
      const stopped = driver.stop().then(() => true);
      await waitFor('it to stop', () => Promise.race([stopped, Promise.resolve(false)]), 3000);
      expect(driver.clock.pending).toBe(0);
      expect(driver.events).toEqual([]);
    });
  });
}
