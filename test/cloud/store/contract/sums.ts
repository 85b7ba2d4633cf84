import { describe, expect, test } from 'vitest';
import type { StationEvent } from '../../../../protocol/events.ts';
import { agent, door, gap, hourMs, mondayTen, people, port, sos, water } from '../../../support/station-data.ts';
import { batchItem, epochA, epochB, laneOptions, openBed, type StoreKit, station } from './kit.ts';

const at = (minute: number): number => mondayTen + minute * 60_000;
const minutes = (count: number): number => count * 60_000;

/** What the events of stations add up to, hour by hour. */
export function sumsContract(kit: StoreKit): void {
  test('every kind of event is added up, over hours and over a restart', async () => {
    const bed = await openBed(kit);
    const told: StationEvent[] = [
      people({ at: at(30), in: 2, inside: 2 }),
      door(true, { at: at(31) }),
      port({ at: at(40), state: 'charging' }),
      water(250, { at: at(50) }),
      sos(1, { at: at(59) }),
    ];
    await bed.batch({ events: told });
    await bed.reopen();
    await bed.batch({ first: 6, events: [people({ at: at(75), out: 1, inside: 1 }), port({ at: at(70), mwh: 40 })] });
    expect(await bed.sums()).toEqual({
      0: {
        visits: 2,
        doorOpens: 1,
        ml: 250,
        presses: 1,
        insidePeak: 2,
        insideMs: 2 * minutes(30),
        peopleMs: minutes(30),
        chargingMs: minutes(20),
        portMs: minutes(20),
      },
      1: {
        leaves: 1,
        mwh: 40,
        insidePeak: 2,
        insideMs: 2 * minutes(15),
        peopleMs: minutes(15),
        chargingMs: minutes(10),
        portMs: minutes(10),
      },
    });
  });

  test('what stands is of its epoch: a new one begins with nothing', async () => {
    const bed = await openBed(kit);
    await bed.batch({ events: [people({ at: at(0), inside: 5 })] });
    await bed.batch({ epoch: epochB, events: [people({ at: at(30), inside: 1 }), people({ at: at(40), inside: 1 })] });
    expect((await bed.sums())[0]).toMatchObject({ insideMs: minutes(10), peopleMs: minutes(10) });
    const { standing } = await bed.store.history(station, 0, 0);
    expect(standing).toEqual([{ kind: 'people', at: at(40), value: 1 }]);
  });

  test.each([['in one batch'], ['in several, with a restart between']])(
    'an agent that stops ends what stands of its epoch, %s',
    async (how) => {
      const bed = await openBed(kit);
      const events = [
        people({ at: at(0), inside: 2 }),
        port({ at: at(0), state: 'charging' }),
        agent('stopped', at(20)),
        people({ at: at(50), inside: 2 }),
      ];
      if (how === 'in one batch') await bed.batch({ events });
      else
        for (const [index, event] of events.entries()) {
          await bed.batch({ first: index + 1, events: [event] });
          await bed.reopen();
        }
      expect((await bed.sums())[0]).toMatchObject({
        insideMs: 2 * minutes(20),
        peopleMs: minutes(20),
        chargingMs: minutes(20),
        portMs: minutes(20),
      });
    },
  );

  test('an agent that stops ends nothing of another epoch', async () => {
    const bed = await openBed(kit);
    const stays = { epoch: epochB, events: [people({ at: at(0), inside: 1 }), people({ at: at(30), inside: 1 })] };
    const group = [
      batchItem({ ...stays, events: stays.events.slice(0, 1) }),
      batchItem({ events: [people({ at: at(0), inside: 2 }), agent('stopped', at(10))] }),
      batchItem({ ...stays, first: 2, events: stays.events.slice(1) }),
    ];
    await bed.store.commit(group, laneOptions);
    expect((await bed.sums())[0]).toMatchObject({ peopleMs: minutes(40) });
  });

  test('time is added in the order of sequences though events came in another one', async () => {
    const bed = await openBed(kit);
    const told = [
      people({ at: at(0), in: 1, inside: 1 }),
      people({ at: at(10), in: 3, inside: 4 }),
      people({ at: at(20), out: 4, inside: 0 }),
      people({ at: at(50), in: 1, inside: 1 }),
      door(true, { at: at(51) }),
      door(false, { at: at(52) }),
      door(true, { at: at(53) }),
    ];
    for (const first of [4, 7, 1, 6, 3, 5, 2]) await bed.batch({ first, events: told.slice(first - 1, first) });
    expect(await bed.sums()).toEqual({
      0: {
        visits: 5,
        leaves: 4,
        doorOpens: 2,
        insidePeak: 4,
        insideMs: minutes(10) + 4 * minutes(10),
        peopleMs: minutes(50),
      },
    });
  });

  describe('gap receipts', () => {
    const lost = (visits: number) => ({ lost: { people: { in: visits } } });
    const visits = (count: number) => people({ in: count });

    test('add what their range held', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [visits(1), gap(2, 5, lost(7)), visits(1)] });
      expect(await bed.sums()).toEqual({ 0: { visits: 9 } });
    });

    test('that grew never add sums twice', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [gap(1, 3, lost(5))] });
      expect(await bed.batch({ events: [gap(1, 4, lost(6))] })).toMatchObject({ upTo: 4, stored: 1 });
      expect(await bed.batch({ events: [gap(1, 4, lost(6))] })).toMatchObject({ upTo: 4, stored: 0, duplicates: 1 });
      expect(await bed.sums()).toEqual({ 0: { visits: 5 } });
    });

    test('for events that are stored already add nothing', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [visits(1), visits(2)] });
      await bed.batch({ events: [gap(1, 4, lost(9))] });
      expect(await bed.sums()).toEqual({ 0: { visits: 3 } });
    });

    test('for an event that is stored ahead of a hole add nothing', async () => {
      const bed = await openBed(kit);
      await bed.batch({ first: 3, events: [visits(2)] });
      expect(await bed.batch({ events: [gap(1, 4, lost(9))] })).toMatchObject({ upTo: 4 });
      expect(await bed.sums()).toEqual({ 0: { visits: 2 } });
    });

    test('have counted an event that comes after them', async () => {
      const bed = await openBed(kit);
      await bed.batch({ events: [gap(1, 4, lost(9)), visits(1)] });
      expect(await bed.batch({ first: 2, events: [visits(2)] })).toMatchObject({ upTo: 5, stored: 1 });
      expect(await bed.sums()).toEqual({ 0: { visits: 10 } });
    });

    test('that wait ahead of a hole have counted an event that comes after them', async () => {
      const bed = await openBed(kit);
      await bed.batch({ first: 3, events: [gap(3, 6, lost(9))] });
      expect(await bed.batch({ first: 4, events: [visits(2)] })).toMatchObject({ upTo: 0, stored: 1 });
      expect(await bed.batch({ first: 1, events: [visits(1), visits(1)] })).toMatchObject({ upTo: 6 });
      expect(await bed.sums()).toEqual({ 0: { visits: 11 } });
    });

    test('pass a hole of any length', async () => {
      const bed = await openBed(kit);
      expect(await bed.batch({ events: [gap(1, 1_000_000), visits(1)] })).toMatchObject({ upTo: 1_000_000 });
      expect(await bed.batch({ first: 1_000_001, events: [visits(1)] })).toMatchObject({ upTo: 1_000_001 });
    });
  });

  test('what a hostile board says overflows nothing, and its events are acknowledged', async () => {
    const bed = await openBed(kit);
    const most = Number.MAX_SAFE_INTEGER;
    const events = [people({ in: most, inside: most }), people({ in: most, inside: most, at: at(59) }), water(most)];
    for (const epoch of [epochA, epochB]) expect(await bed.batch({ epoch, events })).toMatchObject({ upTo: 3 });
    expect((await bed.sums())[0]).toMatchObject({ visits: most, insideMs: most, ml: most, insidePeak: most });
    await bed.batch({ first: 4, events: [gap(4, most)] });
    await bed.batch({ first: 4, events: [gap(4, most)], epoch: epochB });
    expect((await bed.store.counts()).events).toBeGreaterThan(most);
  });

  test('history is of the station and the hours that are asked for', async () => {
    const bed = await openBed(kit, 'other');
    const hours = [0, 60, 120].map((minute) => water(minute + 1, { at: at(minute) }));
    await bed.batch({ events: hours });
    await bed.batch({ station: 'other', events: [water(99)] });
    const { rows } = await bed.store.history(station, mondayTen + hourMs, mondayTen + 2 * hourMs);
    expect(rows.map(({ hour, ml }) => [hour, ml])).toEqual([[mondayTen + hourMs, 61]]);
    expect(await bed.store.history('nobody', 0, mondayTen)).toEqual({ rows: [], standing: [] });
  });
}
