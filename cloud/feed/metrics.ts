import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { CauseLog } from '../../protocol/host/cause-log.ts';
import type { CloudBroker } from '../broker/uplink.ts';
import type { Freshness } from '../core/freshness.ts';
import { nation } from '../core/regions.ts';
import type { Ingest, IngestCounts } from '../ingest/ingest.ts';
import type { Store, StoreCounts } from '../store/store.ts';
import type { StatusBoard } from './status-board.ts';
import type { Stream } from './stream.ts';

export type MetricsSources = {
  ingest: Ingest;
  broker: CloudBroker;
  store: Store;
  board: StatusBoard;
  stream: Stream;
  refusals: CauseLog;
};

const ingestCounters: Readonly<Record<keyof IngestCounts, string>> = {
  messages: 'Messages of stations taken from the broker',
  stored: 'Events and gap receipts stored',
  duplicates: 'Events that were stored already',
  poison: 'Events quarantined because they do not validate',
  conflicts: 'Events quarantined because another one has their sequence',
  tooFarAhead: 'Events left to be sent again because they were too far ahead',
  resets: 'Batches of a session that is not known here',
  acks: 'Acknowledgements sent after their commit',
};

/** Gauges of prom-client that are called like counters: `promtool check metrics` refuses them. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** The Prometheus page: what the process counts anyway, read at the moment of the scrape. */
export function createMetrics({ ingest, broker, store, board, stream, refusals }: MetricsSources): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  for (const [name, help] of Object.entries(ingestCounters) as [keyof IngestCounts, string][]) {
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    counter(`yizhan_ingest_${snake}_total`, help, registers, () => ingest.counts[name]);
  }
  counter('yizhan_refusals_total', 'Messages, logins and connections refused', registers, () =>
    Object.values(refusals.counts()).reduce((sum, count) => sum + count, 0),
  );
  counter(
    'yizhan_stream_dropped_total',
    'Event stream clients dropped because they did not read',
    registers,
    () => stream.dropped,
  );
  gauge('yizhan_ingest_queue_items', 'Items that wait for their commit', registers, () => ingest.queued);
  gauge('yizhan_stream_clients', 'Clients of the event stream', registers, () => stream.clients);
  gauge('yizhan_broker_connected', '1 while stations can be heard', registers, () => (broker.connected() ? 1 : 0));
  gauge(
    'yizhan_broker_connections',
    'Connections of stations to the embedded broker',
    registers,
    () => broker.connections() ?? 0,
  );
  gauge('yizhan_feed_seq', 'Step of the public feed', registers, () => board.seq);
  stationsGauge(board, registers);
  storeGauges(store, registers);
  return registry;
}

function counter(name: string, help: string, registers: Registry[], read: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function gauge(name: string, help: string, registers: Registry[], read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

function stationsGauge(board: StatusBoard, registers: Registry[]): void {
  new Gauge({
    name: 'yizhan_stations',
    help: 'Stations of the register by freshness; never: not heard yet, or without sensors',
    labelNames: ['freshness'],
    registers,
    collect() {
      const counts: Record<Freshness | 'never', number> = { live: 0, late: 0, stale: 0, offline: 0, never: 0 };
      for (const { state, freshness } of board.snapshot(nation)?.stations ?? []) {
        if (state !== 'removed') counts[freshness ?? 'never'] += 1;
      }
      for (const [freshness, count] of Object.entries(counts)) this.set({ freshness }, count);
    },
  });
}

function storeGauges(store: Store, registers: Registry[]): void {
  let counting: Promise<StoreCounts> | null = null;
  /** Once a scrape, for both gauges. */
  const counts = (): Promise<StoreCounts> => {
    counting ??= store.counts().finally(() => {
      counting = null;
    });
    return counting;
  };
  new Gauge({
    name: 'yizhan_store_records',
    help: 'What the store holds: stations, sequences acknowledged, sequences declared lost, quarantined events',
    labelNames: ['what'],
    registers,
    async collect() {
      const { bytes: _bytes, ...records } = await counts();
      for (const [what, count] of Object.entries(records)) this.set({ what }, count);
    },
  });
  new Gauge({
    name: 'yizhan_store_bytes',
    help: 'Size of the store',
    registers,
    async collect() {
      this.set((await counts()).bytes);
    },
  });
}
