import { describe, expect, test } from 'vitest';
import type { SavedLive } from '../../../../cloud/store/store.ts';
import { id32, liveRecord, mondayTen, people, stationState, water } from '../../../support/station-data.ts';
import {
  type Bed,
  batchItem,
  epochA,
  epochB,
  helloItem,
  instanceA,
  instanceB,
  laneOptions,
  openBed,
  type StoreKit,
  station,
} from './kit.ts';

const drops = (count: number) => Array.from({ length: count }, () => water(1));

/** Rules 1, 3 and 9: epochs, their order, and what a hello shows of a log. */
export function helloContract(kit: StoreKit): void {
  test('a hello is told how far each epoch is stored, in the order that it was said', async () => {
    const bed = await openBed(kit);
    await bed.batch({ epoch: epochA, events: drops(3) });
    await bed.reopen();
    const result = await bed.hello({ epochs: [{ id: epochA, last: 3, acked: 1 }, { id: epochB }] });
    expect(result).toEqual({
      kind: 'hello',
      epochs: [
        { id: epochA, order: expect.any(Number), instance: instanceA, upTo: 3 },
        { id: epochB, order: expect.any(Number), instance: instanceA, upTo: 0 },
      ],
      tails: [],
      ackedAhead: false,
    });
    expect(result.epochs[0]?.order).toBeLessThan(result.epochs[1]?.order ?? 0);
  });

  test('an epoch keeps the order in which it was first seen, by whatever message', async () => {
    const bed = await openBed(kit, 'other');
    const [seen] = await bed.store.commit([{ kind: 'epoch-seen', station, epoch: epochB }], laneOptions);
    await bed.batch({ epoch: epochA, events: drops(1) });
    await bed.hello({ station: 'other', epochs: [{ id: epochA }] });
    await bed.reopen();
    const { epochs } = await bed.hello({ epochs: [{ id: epochA }, { id: epochB }] });
    expect(seen).toEqual({ kind: 'epoch-seen', order: epochs[1]?.order, instance: null });
    expect(epochs[0]?.order).toBeGreaterThan(epochs[1]?.order ?? 0);
  });

  test.each([['in one group'], ['in two, with a restart between']])(
    'the instance of an epoch is known from its hello on, %s',
    async (how) => {
      const bed = await openBed(kit);
      const seen = { kind: 'epoch-seen' as const, station, epoch: epochA };
      await bed.store.commit([seen], laneOptions);
      const hello = helloItem({ instance: instanceA, epochs: [{ id: epochA }] });
      let last: unknown;
      if (how === 'in one group') last = (await bed.store.commit([hello, seen], laneOptions))[1];
      else {
        await bed.store.commit([hello], laneOptions);
        await bed.reopen();
        last = (await bed.store.commit([seen], laneOptions))[0];
      }
      expect(last).toMatchObject({ instance: instanceA });
      const { epochs } = await bed.hello({ instance: instanceB, epochs: [{ id: epochA }] });
      expect(epochs[0]?.instance).toBe(instanceA);
      expect((await bed.store.commit([seen], laneOptions))[0]).toMatchObject({ instance: instanceA });
    },
  );

  test.each([
    [2, false],
    [3, true],
  ])('of two stored events a station was told of %s: ahead %s', async (acked, ahead) => {
    const bed = await openBed(kit);
    await bed.batch({ events: drops(2) });
    expect(await bed.hello({ epochs: [{ id: epochA, last: 3, acked }] })).toMatchObject({ ackedAhead: ahead });
  });

  describe('the log before a new instance', () => {
    const current = { id: epochB, last: 1 };
    const wiped = (bed: Bed) => bed.hello({ instance: instanceB, epochs: [current] });

    test('is told with what its last state said it had, once', async () => {
      const bed = await openBed(kit);
      await bed.hello({ epochs: [{ id: epochA, last: 2 }] });
      await bed.batch({ events: drops(2) });
      const order = (await bed.hello({ epochs: [{ id: epochA, last: 2 }] })).epochs[0]?.order ?? 0;
      await bed.store.saveLive([live({ epochOrder: order, state: stationState({ epoch: epochA, seq: 9 }) })]);
      await bed.reopen();
      expect((await wiped(bed)).tails).toEqual([{ epoch: epochA, missing: 7 }]);
      expect((await wiped(bed)).tails).toEqual([]);
    });

    test('is told with what its last hello said it had', async () => {
      const bed = await openBed(kit);
      await bed.hello({ epochs: [{ id: epochA, last: 5 }] });
      await bed.batch({ events: drops(2) });
      expect((await wiped(bed)).tails).toEqual([{ epoch: epochA, missing: 3 }]);
    });

    test('is no loss where all of it came, in the same group too', async () => {
      const bed = await openBed(kit);
      await bed.hello({ epochs: [{ id: epochA, last: 2 }] });
      const group = [batchItem({ events: drops(2) }), helloItem({ instance: instanceB, epochs: [current] })];
      expect((await bed.store.commit(group, laneOptions))[1]).toMatchObject({ tails: [] });
    });

    test('is no loss where the new instance has it too: the log was carried over', async () => {
      const bed = await openBed(kit);
      await bed.hello({ epochs: [{ id: epochA, last: 5 }] });
      expect(await bed.hello({ instance: instanceB, epochs: [{ id: epochA, last: 5 }, current] })).toMatchObject({
        tails: [],
      });
    });

    test('is not asked about by an instance that is known, nor another station’s', async () => {
      const bed = await openBed(kit, 'other');
      await bed.hello({ epochs: [{ id: epochA, last: 5 }] });
      await bed.hello({ station: 'other', epochs: [{ id: id32('c'), last: 5 }] });
      expect(await bed.hello({ epochs: [current] })).toMatchObject({ tails: [] });
      expect(await bed.hello({ station: 'other', instance: instanceB, epochs: [current] })).toMatchObject({
        tails: [{ epoch: id32('c'), missing: 5 }],
      });
    });

    test('an epoch of which only a state told is lost with all its events', async () => {
      const bed = await openBed(kit);
      const [seen] = await bed.store.commit([{ kind: 'epoch-seen', station, epoch: epochA }], laneOptions);
      const epochOrder = seen?.kind === 'epoch-seen' ? seen.order : 0;
      await bed.store.saveLive([live({ epochOrder, state: stationState({ epoch: epochA, seq: 4 }) })]);
      expect((await wiped(bed)).tails).toEqual([{ epoch: epochA, missing: 4 }]);
    });
  });

  describe('what stands in an epoch that is over', () => {
    const late = mondayTen + 60_000;
    const standsOn = async (bed: Bed): Promise<boolean> => {
      const { upTo } = (await bed.hello({ epochs: [{ id: epochA, last: 0 }] })).epochs[0] ?? { upTo: 0 };
      await bed.batch({ first: upTo + 1, events: [people({ at: late, inside: 3 })] });
      return (await bed.sums())[0]?.peopleMs === 60_000;
    };

    test.each<[when: string, hello: Parameters<Bed['hello']>[0] | null, stands: boolean]>([
      ['no hello says so', null, true],
      ['it is the current one', { epochs: [{ id: epochA, last: 1 }] }, true],
      ['its end has not come yet', { epochs: [{ id: epochA, last: 2 }, { id: epochB }] }, true],
      ['all of it is stored', { epochs: [{ id: epochA, last: 1 }, { id: epochB }] }, false],
      ['only another epoch is said', { epochs: [{ id: epochB }] }, true],
    ])('where %s', async (_when, hello, stands) => {
      const bed = await openBed(kit);
      await bed.batch({ events: [people({ inside: 3 })] });
      if (hello) await bed.hello(hello);
      expect(await standsOn(bed)).toBe(stands);
    });

    test('is forgotten though it was read in the same group', async () => {
      const bed = await openBed(kit);
      const hello = helloItem({ epochs: [{ id: epochA, last: 1 }, { id: epochB }] });
      await bed.store.commit([batchItem({ events: [people({ inside: 3 })] }), hello], laneOptions);
      expect(await standsOn(bed)).toBe(false);
    });
  });
}

function live(given: Parameters<typeof liveRecord>[0]): SavedLive {
  return { station, ...liveRecord(given), approvedInstance: null, instanceHeardAt: 0 };
}
