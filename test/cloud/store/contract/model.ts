import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HourSums, noSums } from '../../../../cloud/core/rollup.ts';
import type { RollupRow } from '../../../../cloud/store/store.ts';
import type { StationEvent } from '../../../../protocol/events.ts';
import { door, gap, hourMs, mondayTen, people, port, stationRecord, water } from '../../../support/station-data.ts';
import { batchItem, batchResult, epochA, epochB, laneOptions, openBed, type StoreKit } from './kit.ts';

/** A part of a log as it is sent: from `first` on, with `lost` stretches as receipts in place of their events. */
type Sending = { epoch: 'a' | 'b'; first: number; count: number; lost: { from: number; length: number }[] };

/** What a station says at a sequence: an event, or a receipt that ends at `to`. */
type Said = { event: StationEvent; from: number; to: number };

const epochs = { a: epochA, b: epochB };
const logLength = 30;

/** The log of an epoch: at a sequence there is always the same event. */
function eventAt(epoch: 'a' | 'b', seq: number): StationEvent {
  const at = mondayTen + (epoch === 'a' ? 0 : 9 * hourMs) + seq * 11 * 60_000;
  const kinds = [
    () => people({ at, in: seq % 3, out: seq % 2, inside: (seq * 7) % 5 }),
    () => port({ at, state: seq % 2 === 0 ? 'charging' : 'free', mwh: seq }),
    () => door(seq % 4 < 2, { at }),
    () => water(seq, { at }),
  ];
  return (kinds[(seq * 5 + (epoch === 'a' ? 0 : 1)) % kinds.length] ?? kinds[0])?.() as StationEvent;
}

/** A receipt over a range always holds the same sums: 1 ml for each of its events. */
const receipt = (from: number, to: number): StationEvent =>
  gap(from, to, { at: mondayTen + from * 11 * 60_000, lost: { water: { ml: to - from + 1 } } });

function said({ epoch, first, count, lost }: Sending): Said[] {
  const all: Said[] = [];
  for (let seq = first; all.length < count && seq <= logLength; ) {
    const hole = lost.find(({ from }) => from === seq);
    const to = hole ? Math.min(seq + hole.length, logLength) : seq;
    all.push({ event: hole ? receipt(seq, to) : eventAt(epoch, seq), from: seq, to });
    seq = to + 1;
  }
  return all;
}

/** The rules of the lane in their plainest form; nothing here is fast. */
class ModelEpoch {
  upTo = 0;
  readonly stored = new Map<number, StationEvent>();
  readonly gaps = new Map<string, { from: number; to: number }>();
  /** Events that were counted, and receipts. */
  readonly counted: StationEvent[] = [];
  /** Events that came in time to be part of the order; the others came after a receipt for them. */
  readonly ordered = new Set<number>();

  send(batch: readonly Said[]): { stored: number; duplicates: number; tooFarAhead: number; upTo: number } {
    const before = this.upTo;
    const fits = batch.filter(({ from, to }) => to <= before + laneOptions.aheadWindow || from <= before + 1);
    let stored = 0;
    for (const one of fits) stored += this.#store(one, before) ? 1 : 0;
    while (this.#has(this.upTo + 1)) this.upTo += 1;
    return { stored, duplicates: fits.length - stored, tooFarAhead: batch.length - fits.length, upTo: this.upTo };
  }

  #store({ event, from, to }: Said, before: number): boolean {
    const covered = this.#covered(from, to);
    if (event.kind === 'gap') {
      const key = `${from}-${to}`;
      if (this.gaps.has(key)) return false;
      if (!covered && ![...this.stored.keys()].some((seq) => seq >= from && seq <= to)) this.counted.push(event);
      this.gaps.set(key, { from, to });
      return true;
    }
    if (this.stored.has(from)) return false;
    this.stored.set(from, event);
    if (!covered) this.counted.push(event);
    if (from > before) this.ordered.add(from);
    return true;
  }

  #covered(from: number, to: number): boolean {
    return [...this.gaps.values()].some((known) => known.to >= from && known.from <= to);
  }

  #has(seq: number): boolean {
    return this.stored.has(seq) || this.#covered(seq, seq);
  }

  /** Adds the epoch's share to the sums of every hour. */
  addTo(hours: Map<number, HourSums>): void {
    for (const event of this.counted) {
      if (event.kind === 'door') continue;
      const sums = hourAt(hours, event.at);
      if (event.kind === 'people') {
        sums.visits += event.in;
        sums.leaves += event.out;
        sums.insidePeak = Math.max(sums.insidePeak, event.inside);
      }
      if (event.kind === 'port') sums.mwh += event.mwh;
      if (event.kind === 'water') sums.ml += event.ml;
      if (event.kind === 'gap') sums.ml += event.lost?.['water']?.ml ?? 0;
    }
    const inOrder = [...this.ordered].filter((seq) => seq <= this.upTo).toSorted((a, b) => a - b);
    this.#addTime(
      inOrder.flatMap((seq) => this.stored.get(seq) ?? []),
      hours,
    );
  }

  #addTime(events: readonly StationEvent[], hours: Map<number, HourSums>): void {
    for (const [index, event] of events.entries()) {
      const before = events.slice(0, index).findLast((other) => other.sensor === event.sensor);
      if (event.kind === 'door') {
        hourAt(hours, event.at).doorOpens += event.open && !(before?.kind === 'door' && before.open) ? 1 : 0;
      }
      if (before?.kind !== 'people' && before?.kind !== 'port' && before?.kind !== 'water') continue;
      for (let hour = mondayTen; hour < event.at; hour += hourMs) {
        const ms = Math.min(hour + hourMs, event.at) - Math.max(hour, before.at);
        if (ms <= 0) continue;
        const sums = hourAt(hours, hour);
        if (before.kind === 'people') {
          sums.insideMs += before.inside * ms;
          sums.peopleMs += ms;
          sums.insidePeak = Math.max(sums.insidePeak, before.inside);
        } else if (before.kind === 'water') sums.waterMs += ms;
        else {
          sums.chargingMs += before.state === 'charging' ? ms : 0;
          sums.portMs += ms;
        }
      }
    }
  }
}

function hourAt(hours: Map<number, HourSums>, at: number): HourSums {
  const hour = at - ((at - mondayTen) % hourMs);
  const known = hours.get(hour) ?? { ...noSums };
  hours.set(hour, known);
  return known;
}

const sending: fc.Arbitrary<Sending> = fc.record({
  epoch: fc.constantFrom('a', 'b'),
  first: fc.integer({ min: 1, max: logLength }),
  count: fc.integer({ min: 1, max: 12 }),
  lost: fc.array(fc.record({ from: fc.integer({ min: 1, max: logLength }), length: fc.nat(6) }), { maxLength: 2 }),
});
/** Groups of batches; before some of them the store is opened again. */
const run = fc.array(fc.record({ group: fc.array(sending, { minLength: 1, maxLength: 6 }), reopen: fc.nat(5) }), {
  minLength: 1,
  maxLength: 8,
});

/** Any order, repetition, overlap and loss of batches: what is stored, acknowledged and added up is the model's. */
export function modelContract(kit: StoreKit): void {
  test('stores, acknowledges and adds up what a plain model does', { timeout: 60_000 }, async () => {
    const bed = await openBed(kit);
    let stations = 0;
    await fc.assert(
      fc.asyncProperty(run, async (steps) => {
        const id = `station-${++stations}`;
        await bed.store.addStations([{ record: stationRecord({ id }), credential: null }]);
        const model = { a: new ModelEpoch(), b: new ModelEpoch() };
        for (const { group, reopen } of [...steps, { group: [...wholeLog()], reopen: 1 }]) {
          if (reopen === 0) await bed.reopen();
          const items = group.map((one) =>
            batchItem({
              station: id,
              epoch: epochs[one.epoch],
              first: one.first,
              events: said(one).map(({ event }) => event),
            }),
          );
          const results = (await bed.store.commit(items, laneOptions)).map(batchResult);
          const expected = group.map((one) => ({ ...model[one.epoch].send(said(one)), conflicts: 0, poison: 0 }));
          expect(results).toMatchObject(expected);
          const { rows } = await bed.store.history(id, 0, mondayTen + 100 * hourMs);
          expect(rows).toEqual(hoursOf(model.a, model.b));
        }
        expect([model.a.upTo, model.b.upTo]).toEqual([logLength, logLength]);
      }),
      { numRuns: 80 },
    );
  });
}

function hoursOf(...models: readonly ModelEpoch[]): RollupRow[] {
  const hours = new Map<number, HourSums>();
  for (const model of models) model.addTo(hours);
  return [...hours].map(([hour, sums]) => ({ hour, ...sums })).toSorted((x, y) => x.hour - y.hour);
}

/** In the end the station sends all that it has again. */
function* wholeLog(): Generator<Sending> {
  for (const epoch of ['a', 'b'] as const)
    for (let first = 1; first <= logLength; first += 10) yield { epoch, first, count: 10, lost: [] };
}
