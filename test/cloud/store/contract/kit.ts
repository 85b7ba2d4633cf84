import { onTestFinished } from 'vitest';
import type { HourSums } from '../../../../cloud/core/rollup.ts';
import type { LaneItem, LaneOptions, LaneResult, Store } from '../../../../cloud/store/store.ts';
import { sequenceEvents } from '../../../../protocol/codec.ts';
import type { HelloEpoch } from '../../../../protocol/messages.ts';
import { id32, mondayTen, stationRecord } from '../../../support/station-data.ts';

/** What an implementation gives to be held against the contract. */
export type StoreKit = {
  /** A new empty database, removed with the test. */
  newPlace: () => string;
  /** Opens what is there: again after a close, or beside another one as a second process would. */
  open: (place: string) => Store;
};

export const station = 'tunxi-laojie';
export const epochA = id32('a');
export const epochB = id32('b');
export const instanceA = id32('1');
export const instanceB = id32('2');

export const laneOptions: LaneOptions = { nowMs: mondayTen, aheadWindow: 20, maxQuarantinePerStation: 3 };

export type BatchResult = Extract<LaneResult, { kind: 'batch' }>;
export type HelloResult = Extract<LaneResult, { kind: 'hello' }>;

type Batch = { first?: number; events: readonly unknown[]; epoch?: string; station?: string };
type Hello = { instance?: string; epochs: readonly (Partial<HelloEpoch> & { id: string })[]; station?: string };

export function batchItem({ first = 1, events, epoch = epochA, station: of = station }: Batch): LaneItem {
  return { kind: 'batch', station: of, epoch, events: sequenceEvents({ first, events: [...events] }) };
}

export function helloItem({ instance = instanceA, epochs, station: of = station }: Hello): LaneItem {
  return {
    kind: 'hello',
    station: of,
    instance,
    epochs: epochs.map((epoch) => ({ oldest: 1, last: 0, acked: 0, ...epoch })),
  };
}

/** One place and the store that is open on it, with one station in the register. */
export class Bed {
  readonly #kit: StoreKit;
  readonly #place: string;
  store: Store;

  constructor(kit: StoreKit) {
    this.#kit = kit;
    this.#place = kit.newPlace();
    this.store = kit.open(this.#place);
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = this.#kit.open(this.#place);
  }

  /** As another process would have it open. */
  beside(): Store {
    const store = this.#kit.open(this.#place);
    onTestFinished(() => store.close());
    return store;
  }

  async batch(batch: Batch, options: Partial<LaneOptions> = {}): Promise<BatchResult> {
    return batchResult((await this.store.commit([batchItem(batch)], { ...laneOptions, ...options }))[0]);
  }

  async hello(hello: Hello): Promise<HelloResult> {
    const [result] = await this.store.commit([helloItem(hello)], laneOptions);
    if (result?.kind !== 'hello') throw new Error(`expected the result of a hello, found ${result?.kind}`);
    return result;
  }

  /** What is not 0 in the sums of the whole day, by the hour after ten o'clock. */
  async sums(of = station): Promise<Record<number, Partial<HourSums>>> {
    const { rows } = await this.store.history(of, 0, mondayTen + 1000 * 3_600_000);
    return Object.fromEntries(
      rows.map(({ hour, ...sums }) => [
        (hour - mondayTen) / 3_600_000,
        Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0)),
      ]),
    );
  }
}

export async function openBed(kit: StoreKit, ...ids: string[]): Promise<Bed> {
  const bed = new Bed(kit);
  onTestFinished(() => bed.store.close());
  const stations = [station, ...ids].map((id) => ({ record: stationRecord({ id }), credential: null }));
  await bed.store.addStations(stations);
  return bed;
}

export function batchResult(result: LaneResult | undefined): BatchResult {
  if (result?.kind !== 'batch') throw new Error(`expected the result of a batch, found ${result?.kind}`);
  return result;
}
