import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { GroupQueueConfig } from '../../../cloud/ingest/group-queue.ts';
import { Ingest } from '../../../cloud/ingest/ingest.ts';
import { LiveBoard } from '../../../cloud/ingest/live-board.ts';
import { openSqliteStore } from '../../../cloud/store/sqlite-store.ts';
import type { Store } from '../../../cloud/store/store.ts';
import { encode } from '../../../protocol/codec.ts';
import { CauseLog } from '../../../protocol/host/cause-log.ts';
import type { Messages } from '../../../protocol/messages.ts';
import type { DownChannel, UpChannel } from '../../../protocol/topics.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../../support/log.ts';
import { openWithConnection } from '../../support/sqlite-connection.ts';
import { id32, mondayTen, stationRecord, stationState } from '../../support/station-data.ts';
import { tempDir } from '../../support/temp-dir.ts';

export const station = 'tunxi-laojie';
export const queueConfig: GroupQueueConfig = {
  maxGroupItems: 100,
  maxQueuedBytes: 1_000_000,
  aheadWindow: 100,
  maxQuarantinePerStation: 10,
};

type Answer = { [C in DownChannel]: { channel: C; message: Messages[C] } }[DownChannel];
type Options = { config?: Partial<GroupQueueConfig>; stations?: string[]; wrap?: (store: Store) => Store };

/** The ingest on a real store and a clock that stands still, with what it answers and what it complains of. */
export class Rig {
  readonly clock = new FakeClock(mondayTen);
  readonly live = new LiveBoard();
  readonly answers: Answer[] = [];
  readonly fulls: boolean[] = [];
  readonly failures: unknown[] = [];
  readonly lines: LogLine[];
  readonly path = join(tempDir(), 'cloud.db');
  readonly db;
  readonly store: Store;
  readonly ingest: Ingest;
  readonly refusals: CauseLog;
  #tokens = 0;
  /** Called with every answer, at the moment that it is given. */
  onAnswer: () => void = () => {};

  constructor({ config = {}, wrap = (store) => store }: Options) {
    const { store, db } = openWithConnection(this.path);
    this.db = db;
    this.store = store;
    const { log, lines } = memoryLog();
    this.lines = lines;
    this.refusals = new CauseLog(log, this.clock);
    this.ingest = new Ingest(
      { ...queueConfig, ...config },
      {
        clock: this.clock,
        log,
        refusals: this.refusals,
        store: wrap(store),
        live: this.live,
        newToken: () => `session-${++this.#tokens}`,
        turn: () => setImmediate(),
        full: (isFull) => void this.fulls.push(isFull),
        failed: (error) => void this.failures.push(error),
      },
    );
  }

  /** The store as another process sees it. */
  beside(): Store {
    const store = openSqliteStore(this.path);
    onTestFinished(() => store.close());
    return store;
  }

  /** @returns the promise for which a sender has to wait */
  raw(channel: UpChannel, payload: Uint8Array, { from = station, retained = false } = {}): Promise<void> | undefined {
    const reply = (down: DownChannel, bytes: Buffer): void => {
      this.answers.push({ channel: down, message: JSON.parse(bytes.toString()) } as Answer);
      this.onAnswer();
    };
    return this.ingest.take({ station: from, channel, payload, retained, reply });
  }

  say<C extends UpChannel>(
    channel: C,
    message: Omit<Messages[C], 'v'>,
    how: { from?: string; retained?: boolean } = {},
  ) {
    return this.raw(channel, encode(channel, message), how);
  }

  hello(given: Partial<Messages['hello']> & { from?: string } = {}) {
    const { from = station, ...message } = given;
    const epochs = [{ id: id32('a'), oldest: 1, last: 0, acked: 0 }];
    return this.say(
      'hello',
      { nonce: 'nonce-1', instance: id32('1'), agent: 'test', configHash: 'x', epochs, ...message },
      { from },
    );
  }

  state(given: Parameters<typeof stationState>[0] = {}, how: { from?: string; retained?: boolean } = {}) {
    const { v: _v, ...state } = stationState({ at: this.clock.wallMs(), ...given });
    return this.say('state', state, how);
  }

  events(session: string, events: unknown[], given: { first?: number; epoch?: string; from?: string } = {}) {
    const { first = 1, epoch = id32('a'), from = station } = given;
    return this.say('events', { session, epoch, first, events }, { from });
  }

  /** Says hello and returns the session of the welcome. */
  async greet(given: Parameters<Rig['hello']>[0] = {}): Promise<string> {
    this.hello(given);
    await settle();
    const session = this.told('welcome').at(-1)?.session;
    if (session === undefined) throw new Error('no welcome');
    return session;
  }

  told<C extends DownChannel>(channel: C): Messages[C][] {
    return this.answers.flatMap((answer) => (answer.channel === channel ? [answer.message as Messages[C]] : []));
  }

  async alarms(): Promise<Record<string, string>> {
    return Object.fromEntries((await this.store.alarms()).map(({ kind, detail }) => [kind, detail]));
  }

  logged(message: string): number {
    return this.lines.filter(({ msg }) => msg === message).length;
  }
}

export async function openRig(options: Options = {}): Promise<Rig> {
  const rig = new Rig(options);
  onTestFinished(async () => {
    await rig.ingest.stop();
    await rig.store.close();
  });
  const ids = [station, ...(options.stations ?? [])];
  await rig.store.addStations(ids.map((id) => ({ record: stationRecord({ id }), credential: null })));
  return rig;
}

/** Lets everything happen that waits for no clock: a group is gathered in one turn and committed in the next. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await setImmediate();
}

/** Commits wait until they are let through, one after the other. */
export class Gate {
  readonly groups: number[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly wrap = (store: Store): Store =>
    overridden(store, {
      commit: async (items, options) => {
        this.groups.push(items.length);
        await new Promise<void>((resolve) => void this.#waiting.push(resolve));
        return store.commit(items, options);
      },
    });

  async let(count = 1): Promise<void> {
    for (let one = 0; one < count; one++) {
      this.#waiting.shift()?.();
      await settle();
    }
  }
}

/** The real store with some of its methods replaced. */
export function overridden(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}
