import { describe, expect, test } from 'vitest';
import type { NewStation, SavedLive } from '../../../../cloud/store/store.ts';
import { StoreError } from '../../../../protocol/host/sqlite.ts';
import { id32, liveRecord, mondayTen, stationRecord, stationState, water } from '../../../support/station-data.ts';
import { instanceA, openBed, type StoreKit, station } from './kit.ts';

const credential = { salt: 'aa', hash: 'bb' };
const fresh = (id: string, given: Parameters<typeof stationRecord>[0] = {}): NewStation => ({
  record: stationRecord({ id, ...given }),
  credential,
});

/** All that is not the durable lane: register, credentials, live states, alarms, commands. */
export function registerContract(kit: StoreKit): void {
  describe('the register', () => {
    test('keeps every field of an entry, in the order of ids', async () => {
      const bed = await openBed(kit);
      const full = stationRecord({
        id: 'a-first',
        aliases: ['爱心驿站'],
        address: '老街 1 号',
        capacity: null,
        facilities: ['微波炉'],
        steward: '王',
        complaintLine: '12351',
        levels: ['省级'],
        kind: 'lite',
      });
      await bed.store.addStations([{ record: full, credential: null }]);
      await bed.reopen();
      expect(await bed.store.stations()).toEqual([full, stationRecord()]);
    });

    test('adds all or none, and says which it has already', async () => {
      const bed = await openBed(kit);
      expect(await bed.store.addStations([fresh('b'), fresh(station)])).toEqual([station]);
      expect((await bed.store.stations()).map(({ id }) => id)).toEqual([station]);
      expect(await bed.store.addStations([fresh('b'), fresh('c')])).toEqual([]);
      expect(await bed.store.counts()).toMatchObject({ stations: 3 });
    });

    test('changes an entry and leaves its credential', async () => {
      const bed = await openBed(kit);
      await bed.store.addStations([fresh('b')]);
      await bed.store.updateStation(stationRecord({ id: 'b', name: '新街驿站' }));
      expect((await bed.store.stations())[0]).toMatchObject({ id: 'b', name: '新街驿站', removedAt: null });
      expect(await bed.store.credential('b')).toEqual(credential);
    });

    test('gives an entry that got sensors its first credential', async () => {
      const bed = await openBed(kit);
      await bed.store.updateStation(stationRecord({ name: '新街驿站' }), credential);
      expect(await bed.store.credential(station)).toEqual(credential);
    });

    test('takes the credential away with the station, whose entry stays listed', async () => {
      const bed = await openBed(kit);
      await bed.store.addStations([fresh('b')]);
      expect(await bed.store.removeStation('b', mondayTen)).toBe(true);
      expect(await bed.store.removeStation('b', mondayTen + 1)).toBe(false);
      expect(await bed.store.removeStation('nobody', mondayTen)).toBe(false);
      expect(await bed.store.credential('b')).toBeNull();
      expect((await bed.store.stations())[0]).toMatchObject({ id: 'b', removedAt: mondayTen });
      expect(await bed.store.counts()).toMatchObject({ stations: 1 });
    });

    test('takes a removed station again with a new credential and its history', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [water(5)] });
      await bed.store.removeStation(station, mondayTen);
      expect(await bed.store.addStations([fresh(station, { name: '新街驿站' })])).toEqual([]);
      expect(await bed.store.credential(station)).toEqual(credential);
      expect(await bed.store.stations()).toMatchObject([{ name: '新街驿站', removedAt: null }]);
      expect(await bed.sums()).toEqual({ 0: { ml: 5 } });
    });

    test('has no credential of a station without sensors, nor of an unknown one', async () => {
      const bed = await openBed(kit);
      expect([await bed.store.credential(station), await bed.store.credential('nobody')]).toEqual([null, null]);
    });
  });

  describe('live states', () => {
    const record: SavedLive = {
      station,
      ...liveRecord({
        state: stationState({ epoch: id32('c'), seq: 7, env: 'unknown' }),
        reportedAt: mondayTen + 1,
        beatAt: mondayTen + 2,
        changedAt: mondayTen + 3,
        use: { at: mondayTen + 4, beforeSlotAt: null },
        online: false,
      }),
      approvedInstance: instanceA,
      instanceHeardAt: mondayTen + 5,
    };

    test('come back as they were saved, the newest of each station', async () => {
      const bed = await openBed(kit, 'other');
      const never = { ...record, station: 'other', approvedInstance: null, use: { at: null, beforeSlotAt: null } };
      await bed.store.saveLive([{ ...record, online: true, beatAt: 1 }, never]);
      await bed.store.saveLive([record]);
      await bed.reopen();
      const saved = await bed.store.live();
      expect(saved.toSorted((a, b) => a.station.localeCompare(b.station))).toEqual([never, record]);
    });

    test('of a station that the register never had are passed over', async () => {
      const bed = await openBed(kit);
      await bed.store.saveLive([{ ...record, station: 'nobody' }, record]);
      expect(await bed.store.live()).toEqual([record]);
    });
  });

  test('an alarm is kept once a station and kind, as it was last, the newest first', async () => {
    const bed = await openBed(kit, 'other');
    const alarm = (kind: string, sinceMs: number, of = station) => ({
      station: of,
      kind,
      sinceMs,
      detail: `since ${sinceMs}`,
    });
    for (const one of [alarm('x', 1), alarm('y', 2), alarm('x', 5), alarm('x', 3, 'other'), alarm('x', 9, 'nobody')])
      await bed.store.raiseAlarm(one);
    await bed.reopen();
    expect(await bed.store.alarms()).toEqual([alarm('x', 5), alarm('x', 3, 'other'), alarm('y', 2)]);
  });

  describe('a command', () => {
    const command = { id: 'c-1', station, name: 'report-now', args: { deep: [1] }, expires: mondayTen };

    test('is open until it expires', async () => {
      const bed = await openBed(kit);
      await bed.store.addCommand(command);
      await bed.reopen();
      expect(await bed.store.openCommands(mondayTen - 1)).toEqual([command]);
      expect(await bed.store.openCommands(mondayTen)).toEqual([]);
    });

    test('is answered once, by its own station', async () => {
      const bed = await openBed(kit, 'other');
      await bed.store.addCommand(command);
      expect(await bed.store.answerCommand('other', 'c-1', '"stolen"')).toBe(false);
      expect(await bed.store.commandReply('c-1')).toBeNull();
      expect(await bed.store.answerCommand(station, 'c-1', '"done"')).toBe(true);
      expect(await bed.store.answerCommand(station, 'c-1', '"again"')).toBe(false);
      expect(await bed.store.commandReply('c-1')).toBe('"done"');
      expect(await bed.store.openCommands(0)).toEqual([]);
      expect(await bed.store.commandReply('nobody')).toBeNull();
    });

    test.each(['nobody', 'removed'])('is refused for a station that is not there: %s', async (id) => {
      const bed = await openBed(kit, 'removed');
      await bed.store.removeStation('removed', mondayTen);
      await expect(bed.store.addCommand({ ...command, station: id })).rejects.toThrow(StoreError);
    });
  });

  test('the change mark tells what another process changed, and nothing of what this one did', async () => {
    const bed = await openBed(kit);
    const other = bed.beside();
    const before = await bed.store.changeMark();
    await bed.store.addStations([fresh('b')]);
    expect(await bed.store.changeMark()).toBe(before);
    await other.addStations([fresh('c')]);
    const after = await bed.store.changeMark();
    expect(after).not.toBe(before);
    expect((await bed.store.stations()).map(({ id }) => id)).toContain('c');
    expect(await bed.store.changeMark()).toBe(after);
  });

  test('closing twice is closing once', async () => {
    const bed = await openBed(kit);
    await bed.store.close();
    await expect(bed.store.close()).resolves.toBeUndefined();
    await expect(bed.store.stations()).rejects.toThrow();
  });
}
