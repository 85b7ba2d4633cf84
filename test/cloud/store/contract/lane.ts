import { describe, expect, test } from 'vitest';
import { StoreError } from '../../../../protocol/host/sqlite.ts';
import { gap, mondayTen, people, sos, water } from '../../../support/station-data.ts';
import { batchItem, epochA, epochB, helloItem, laneOptions, openBed, type StoreKit, station } from './kit.ts';

const drops = (count: number, ml = 1) => Array.from({ length: count }, () => water(ml));
const nothing = { stored: 0, duplicates: 0, poison: 0, conflicts: 0, tooFarAhead: 0 };

/** Rules 5 and 8 of the durable lane: what is stored, what is a duplicate, how far it is acknowledged. */
export function laneContract(kit: StoreKit): void {
  describe('a batch', () => {
    test('is stored and acknowledged to its end', async () => {
      const bed = await openBed(kit);
      const result = await bed.batch({ events: [people({ in: 2 }), water(5)] });
      expect(result).toEqual({ kind: 'batch', upTo: 2, usedAt: mondayTen, ...nothing, stored: 2 });
      expect(await bed.sums()).toEqual({ 0: { visits: 2, ml: 5 } });
    });

    test('that comes again is acknowledged again and adds nothing, after a restart too', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: drops(3) });
      await bed.reopen();
      const again = await bed.batch({ events: drops(4) });
      expect(again).toMatchObject({ ...nothing, upTo: 4, stored: 1, duplicates: 3 });
      expect(await bed.sums()).toEqual({ 0: { ml: 4 } });
    });

    test('of another epoch or of another station is another batch', async () => {
      const bed = await openBed(kit, 'other');
      for (const where of [{}, { epoch: epochB }, { station: 'other' }])
        expect(await bed.batch({ events: drops(2), ...where })).toMatchObject({ stored: 2, upTo: 2 });
      expect([await bed.sums(), await bed.sums('other')]).toEqual([{ 0: { ml: 4 } }, { 0: { ml: 2 } }]);
    });

    test('is all or nothing, with all that its group holds', async () => {
      const bed = await openBed(kit);
      const unstorable = { ...water(1), at: Number.NaN };
      const group = [
        helloItem({ epochs: [{ id: epochB, last: 9 }] }),
        batchItem({ events: drops(2) }),
        {
          kind: 'batch' as const,
          station,
          epoch: epochA,
          events: [{ valid: true as const, first: 3, last: 3, event: unstorable, json: '{}' }],
        },
      ];
      await expect(bed.store.commit(group, laneOptions)).rejects.toThrow(StoreError);
      expect(await bed.sums()).toEqual({});
      expect(await bed.store.counts()).toMatchObject({ events: 0 });
      expect(await bed.batch({ events: drops(2) })).toMatchObject({ upTo: 2, stored: 2 });
    });

    test('of a station that the register does not have, or no longer, is not stored', async () => {
      const bed = await openBed(kit);
      await bed.store.removeStation(station, mondayTen);
      const items = [batchItem({ events: drops(1) }), batchItem({ events: drops(1), station: 'nobody' })];
      const seen = { kind: 'epoch-seen' as const, station, epoch: epochA };
      const results = await bed.store.commit([...items, seen, helloItem({ epochs: [{ id: epochA }] })], laneOptions);
      expect(results.map(({ kind }) => kind)).toEqual(Array.from({ length: 4 }, () => 'unknown-station'));
      expect(await bed.store.counts()).toMatchObject({ events: 0 });
    });

    test('of a station that was added again goes on where it was', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: drops(2) });
      await bed.store.removeStation(station, mondayTen);
      const [record] = await bed.store.stations();
      await bed.store.addStations(record ? [{ record: { ...record, removedAt: null }, credential: null }] : []);
      expect(await bed.batch({ first: 2, events: drops(2) })).toMatchObject({ upTo: 3, stored: 1, duplicates: 1 });
    });
  });

  describe('ahead of a hole', () => {
    test('events are stored and upTo waits for what is missing', async () => {
      const bed = await openBed(kit);
      expect(await bed.batch({ first: 3, events: drops(2) })).toMatchObject({ upTo: 0, stored: 2 });
      await bed.reopen();
      expect(await bed.batch({ first: 2, events: drops(1) })).toMatchObject({ upTo: 0, stored: 1 });
      expect(await bed.batch({ first: 1, events: drops(1) })).toMatchObject({ upTo: 4, stored: 1 });
      expect(await bed.sums()).toEqual({ 0: { ml: 4 } });
    });

    test('an event below the highest stored one is no duplicate', async () => {
      const bed = await openBed(kit);
      await bed.batch({ first: 5, events: drops(1) });
      expect(await bed.batch({ first: 1, events: drops(5) })).toMatchObject({ upTo: 5, stored: 4, duplicates: 1 });
    });

    test('no more is stored than the window, and it is filled by those who come later', async () => {
      const bed = await openBed(kit);
      const far = await bed.batch({ first: 15, events: drops(8) });
      expect(far).toMatchObject({ upTo: 0, stored: 6, tooFarAhead: 2 });
      expect(await bed.batch({ first: 1, events: drops(14) })).toMatchObject({ upTo: 20, stored: 14 });
      expect(await bed.batch({ first: 21, events: drops(2) })).toMatchObject({ upTo: 22, stored: 2 });
    });

    test('only a gap receipt passes it', async () => {
      const bed = await openBed(kit);
      await bed.batch({ first: 5, events: drops(1) });
      expect(await bed.batch({ first: 1, events: [water(1), gap(2, 4)] })).toMatchObject({ upTo: 5, stored: 2 });
      expect(await bed.store.counts()).toMatchObject({ events: 5, gaps: 3 });
    });
  });

  describe('an event that is no event', () => {
    const poison = { at: 1, kind: 'unheard-of', sensor: 'x' };

    test('goes to quarantine and is acknowledged with its neighbours, once', async () => {
      const bed = await openBed(kit);
      const events = [water(1), poison, water(1)];
      expect(await bed.batch({ events })).toMatchObject({ ...nothing, upTo: 3, stored: 2, poison: 1 });
      expect(await bed.batch({ events })).toMatchObject({ ...nothing, upTo: 3, duplicates: 3 });
      expect(await bed.store.counts()).toMatchObject({ quarantined: 1 });
      expect(await bed.sums()).toEqual({ 0: { ml: 2 } });
    });

    test('keeps its sequence: a good one that comes later under it is not taken', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [poison] });
      expect(await bed.batch({ events: [water(1)] })).toMatchObject({ ...nothing, upTo: 1, duplicates: 1 });
    });

    test('is counted though the quarantine of its station is full', async () => {
      const bed = await openBed(kit, 'other');
      const most = laneOptions.maxQuarantinePerStation;
      const events = Array.from({ length: most + 2 }, () => poison);
      expect(await bed.batch({ events })).toMatchObject({ upTo: most + 2, poison: most + 2 });
      expect(await bed.store.counts()).toMatchObject({ quarantined: most });
      await bed.batch({ events: [poison], station: 'other' });
      expect(await bed.store.counts()).toMatchObject({ quarantined: most + 1 });
    });
  });

  describe('the same sequence with other bytes', () => {
    test.each<[what: string, event: unknown]>([
      ['another event', water(2)],
      ['an event that is no event', { kind: 'unheard-of' }],
      ['the same values in another order', Object.fromEntries(Object.entries(water(1)).toReversed())],
    ])('is a conflict: %s is quarantined, the first one stays', async (_what, event) => {
      const bed = await openBed(kit);
      await bed.batch({ events: [water(1)] });
      expect(await bed.batch({ events: [event, water(4)] })).toMatchObject({
        upTo: 2,
        stored: 1,
        conflicts: 1,
        duplicates: 0,
      });
      expect(await bed.store.counts()).toMatchObject({ quarantined: 1 });
      expect(await bed.sums()).toEqual({ 0: { ml: 5 } });
    });
  });

  test('an event is kept as it came, with fields that this version does not know', async () => {
    const bed = await openBed(kit);
    const newer = { ...sos(1), pressedBy: 'left hand' };
    await bed.batch({ events: [newer] });
    expect(await bed.batch({ events: [newer] })).toMatchObject({ duplicates: 1, conflicts: 0 });
    expect(await bed.batch({ events: [sos(1)] })).toMatchObject({ duplicates: 0, conflicts: 1 });
  });

  test('the last use is that of the newest visit or open door of what was new', async () => {
    const bed = await openBed(kit);
    const used = async (first: number, ...events: unknown[]) => (await bed.batch({ first, events })).usedAt;
    expect(await used(1, people({ in: 1, at: mondayTen + 5 }), people({ in: 1, at: mondayTen }))).toBe(mondayTen + 5);
    expect(await used(3, people({ out: 1, at: mondayTen + 9 }), water(1))).toBeNull();
    expect(await used(1, people({ in: 1, at: mondayTen + 5 }))).toBeNull();
  });
}
