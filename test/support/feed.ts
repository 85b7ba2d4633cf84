import { join } from 'node:path';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import type { StationRecord } from '../../cloud/core/station.ts';
import { startHttp } from '../../cloud/feed/http.ts';
import { StatusBoard } from '../../cloud/feed/status-board.ts';
import { Stream, type StreamConfig } from '../../cloud/feed/stream.ts';
import { LiveBoard } from '../../cloud/ingest/live-board.ts';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import type { Store } from '../../cloud/store/store.ts';
import { sequenceEvents } from '../../protocol/codec.ts';
import type { StationEvent } from '../../protocol/events.ts';
import type { StationState } from '../../protocol/state.ts';
import { FakeClock } from './fake-clock.ts';
import { type LogLine, memoryLog } from './log.ts';
import { epochA, recordOf, stateOf } from './station-words.ts';
import { tempDir } from './temp-dir.ts';

export type TestFeed = {
  http: string;
  clock: FakeClock;
  live: LiveBoard;
  board: StatusBoard;
  stream: Stream;
  store: Store;
  lines: LogLine[];
  /** Events that the station's one epoch goes on with, committed. */
  keep: (station: string, events: readonly StationEvent[]) => Promise<void>;
  /** A state that arrives now. */
  say: (station: string, state?: Partial<StationState> & { inside?: number }) => void;
  /** The same, and the second in which the feed takes it has passed. */
  tell: (station: string, state?: Partial<StationState> & { inside?: number }) => Promise<void>;
};

export type FeedOptions = {
  clock?: FakeClock;
  stations?: StationRecord[];
  stream?: Partial<StreamConfig>;
  store?: Store;
  epoch?: string;
  metrics?: 'local' | 'public' | 'off';
};

/** The feed without a broker: live board, status board, stream and HTTP on a clock that the test turns. */
export async function startFeed(options: FeedOptions = {}): Promise<TestFeed> {
  const { clock = new FakeClock(), stations = [recordOf('a')], epoch = 'e1' } = options;
  const store = options.store ?? openSqliteStore(join(tempDir(), 'cloud.db'));
  await store.addStations(stations.map((record) => ({ record, credential: null })));
  for (const { id, removedAt } of stations) if (removedAt !== null) await store.removeStation(id, removedAt);
  const live = new LiveBoard();
  await live.load(store, clock.wallMs());
  const board = new StatusBoard({ clock, live, epoch, coalesceMs: 1000 });
  board.setRegister(await store.stations());
  const stream = new Stream(
    { maxClients: 100, maxUnreadBytes: 256 * 1024, beatMs: 15_000, ...options.stream },
    clock,
    board,
  );
  const kept = new Map<string, number>();
  const { log, lines } = memoryLog();
  const server = await startHttp(
    { host: '127.0.0.1', port: 0, metrics: options.metrics ?? 'local', licence: 'CC0-1.0' },
    { clock, log, store, board, live, stream, metrics: new Registry(), health: () => ({ ok: true, problems: [] }) },
  );
  onTestFinished(async () => {
    stream.stop();
    await server.close();
    board.stop();
    await store.close();
  });
  const say: TestFeed['say'] = (station, state) =>
    void live.takeState(
      station,
      { state: stateOf(state), epochOrder: 1, retained: false, arrivedAt: clock.wallMs() },
      null,
    );
  // The register's first step is told, as in a cloud that has run for a while.
  await clock.advance(1000);
  return {
    http: `http://127.0.0.1:${server.port}`,
    clock,
    live,
    board,
    stream,
    store,
    lines,
    say,
    async keep(station, events) {
      const first = (kept.get(station) ?? 0) + 1;
      kept.set(station, first + events.length - 1);
      await store.commit(
        [{ kind: 'batch', station, epoch: epochA, events: sequenceEvents({ first, events: [...events] }) }],
        { nowMs: clock.wallMs(), aheadWindow: 2000, maxQuarantinePerStation: 1000 },
      );
    },
    async tell(station, state) {
      say(station, state);
      await clock.advance(1000);
    },
  };
}
