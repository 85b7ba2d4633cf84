import { decode, encode, sequenceEvents } from '../../protocol/codec.ts';
import type { CauseLog } from '../../protocol/host/cause-log.ts';
import type { Clock } from '../../protocol/host/clock.ts';
import type { Logger } from '../../protocol/host/log.ts';
import { isDiskFull, StoreError } from '../../protocol/host/sqlite.ts';
import type { Messages } from '../../protocol/messages.ts';
import type { StationState } from '../../protocol/state.ts';
import type { UpChannel } from '../../protocol/topics.ts';
import type { Uplink } from '../broker/uplink.ts';
import type { Alarm, LaneResult, Store } from '../store/store.ts';
import { GroupQueue, type GroupQueueConfig } from './group-queue.ts';
import type { LiveBoard } from './live-board.ts';
import { Sessions } from './sessions.ts';

export type IngestIo = {
  clock: Clock;
  log: Logger;
  refusals: CauseLog;
  store: Store;
  live: LiveBoard;
  newToken: () => string;
  turn: () => Promise<void>;
  full: (isFull: boolean) => void;
  failed: (error: unknown) => void;
};

export type IngestCounts = {
  messages: number;
  stored: number;
  duplicates: number;
  poison: number;
  conflicts: number;
  tooFarAhead: number;
  resets: number;
  acks: number;
};

/** Epochs whose order is remembered, a station: the current one and a clone's. */
const maxEpochsPerStation = 8;

/** A standing trouble is written down again at most this often. */
const alarmEveryMs = 60_000;

type HelloResult = Extract<LaneResult, { kind: 'hello' }>;
type PendingAck = { session: string; epoch: string; upTo: number; reply: Uplink['reply'] };
type KnownEpoch = { id: string; order: number; instance: string | null };

/**
 * The cloud's end of both lanes: checks what stations say, has it committed, and acknowledges it.
 * Everything here may be lost with the process: sessions are said again, orders are in the store.
 */
export class Ingest {
  readonly counts: IngestCounts = {
    messages: 0,
    stored: 0,
    duplicates: 0,
    poison: 0,
    conflicts: 0,
    tooFarAhead: 0,
    resets: 0,
    acks: 0,
  };
  readonly #io: IngestIo;
  readonly #queue: GroupQueue;
  readonly #sessions = new Sessions();
  /** Acks of the group that was just committed, by session and epoch. */
  readonly #acks = new Map<string, PendingAck>();
  readonly #epochs = new Map<string, KnownEpoch[]>();
  /** Order of the newest epoch that each station's hellos named as current. */
  readonly #newestHello = new Map<string, number>();
  readonly #alarmedMs = new Map<string, number>();

  constructor(config: GroupQueueConfig, io: IngestIo) {
    this.#io = io;
    this.#queue = new GroupQueue(config, { ...io, groupDone: () => this.#sendAcks() });
  }

  get queued(): number {
    return this.#queue.depth;
  }

  /** @returns a promise to wait for before the next message is read; nothing where there is room */
  take(uplink: Uplink): Promise<void> | undefined {
    this.counts.messages += 1;
    switch (uplink.channel) {
      case 'events':
        this.#events(uplink);
        break;
      case 'state':
        this.#state(uplink);
        break;
      case 'hello':
        this.#hello(uplink);
        break;
      case 'presence': {
        const presence = this.#heard('presence', uplink);
        if (presence) this.#io.live.takePresence(uplink.station, presence.online, presence.nonce);
        break;
      }
      case 'replies':
        this.#reply(uplink);
    }
    return this.#queue.hasRoom() ? undefined : this.#queue.room();
  }

  /** The station left the register: what it says no longer counts. */
  forget(station: string): void {
    this.#sessions.end(station);
    this.#epochs.delete(station);
    this.#newestHello.delete(station);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #hello(uplink: Uplink): void {
    const hello = this.#heard('hello', uplink);
    if (!hello) return;
    const { station } = uplink;
    const { instance, epochs, nonce } = hello;
    this.#queue.push({ kind: 'hello', station, instance, epochs }, uplink.payload.byteLength, (result) => {
      if (result.kind !== 'hello') return this.#strange(station, result);
      for (const { id, order } of result.epochs) this.#know(station, { id, order, instance });
      this.#judgeHello(station, instance, result);
      const session = this.#io.newToken();
      this.#sessions.open(station, { id: session, instance });
      const told = result.epochs.map(({ id, upTo }) => ({ id, upTo }));
      uplink.reply('welcome', encode('welcome', { nonce, session, now: this.#io.clock.wallMs(), epochs: told }));
    });
  }

  /** Signs of trouble that only a hello shows (protocol README §3, rules 9 and 10). */
  #judgeHello(station: string, instance: string, { epochs, tails, ackedAhead }: HelloResult): void {
    if (tails.length > 0) {
      const missing = tails.map((tail) => `up to ${tail.missing} events of epoch ${tail.epoch}`).join(', ');
      this.#alarm(
        station,
        'tail-unknown',
        `instance ${instance.slice(0, 8)} is new, an older log never sent: ${missing}`,
      );
    }
    if (ackedAhead)
      this.#alarm(
        station,
        'acked-ahead',
        'the station was told more is stored than the store has: was it restored from a backup?',
      );
    const current = epochs.at(-1)?.order ?? 0;
    const newest = this.#newestHello.get(station) ?? 0;
    // An older process speaks although a newer one of the same file did: two boards, one card's copy.
    if (current < newest)
      this.#alarm(station, 'duplicate-identity', `an older epoch of instance ${instance.slice(0, 8)} is still alive`);
    this.#newestHello.set(station, Math.max(current, newest));
  }

  #events(uplink: Uplink): void {
    const batch = this.#heard('events', uplink);
    if (!batch) return;
    const { station } = uplink;
    const { session, epoch } = batch;
    if (!this.#sessions.find(station, session)) {
      this.counts.resets += 1;
      return uplink.reply('reset', encode('reset', { session }));
    }
    this.#queue.push(
      { kind: 'batch', station, epoch, events: sequenceEvents(batch) },
      uplink.payload.byteLength,
      (result) => {
        if (result.kind !== 'batch') return this.#strange(station, result);
        this.#countBatch(station, result);
        // An ack covers all before it: one a group is enough for a station that sent several batches.
        this.#acks.set(`${session}/${epoch}`, { session, epoch, upTo: result.upTo, reply: uplink.reply });
      },
    );
  }

  #sendAcks(): void {
    const now = this.#io.clock.wallMs();
    for (const { session, epoch, upTo, reply } of this.#acks.values()) {
      this.counts.acks += 1;
      reply('ack', encode('ack', { session, epoch, upTo, now }));
    }
    this.#acks.clear();
  }

  #countBatch(station: string, result: Extract<LaneResult, { kind: 'batch' }>): void {
    for (const name of ['stored', 'duplicates', 'poison', 'conflicts', 'tooFarAhead'] as const)
      this.counts[name] += result[name];
    // No use is later than its arrival: a clock that runs ahead would tell of a slot that is not over.
    if (result.usedAt !== null) this.#io.live.noteUse(station, Math.min(result.usedAt, this.#io.clock.wallMs()));
    if (result.poison > 0)
      this.#io.refusals.note(
        `poison ${station}`,
        { station, events: result.poison },
        'events quarantined: they do not validate',
      );
    if (result.conflicts > 0)
      this.#alarm(
        station,
        'sequence-conflict',
        `${result.conflicts} events with a sequence that another event has: quarantined`,
      );
  }

  #state(uplink: Uplink): void {
    const state = this.#heard('state', uplink);
    if (!state) return;
    const { station, retained } = uplink;
    const arrivedAt = this.#io.clock.wallMs();
    const known = this.#epochs.get(station)?.find((epoch) => epoch.id === state.epoch);
    if (known) return this.#takeState(station, state, known, retained, arrivedAt);
    this.#queue.push({ kind: 'epoch-seen', station, epoch: state.epoch }, uplink.payload.byteLength, (result) => {
      if (result.kind !== 'epoch-seen') return this.#strange(station, result);
      const epoch = { id: state.epoch, order: result.order, instance: result.instance };
      this.#know(station, epoch);
      this.#takeState(station, state, epoch, retained, arrivedAt);
    });
  }

  #takeState(station: string, state: StationState, epoch: KnownEpoch, retained: boolean, arrivedAt: number): void {
    const verdict = this.#io.live.takeState(
      station,
      { state, epochOrder: epoch.order, retained, arrivedAt },
      epoch.instance,
    );
    if (verdict.duplicate)
      this.#alarm(
        station,
        'duplicate-identity',
        `instance ${epoch.instance?.slice(0, 8)} speaks beside ${verdict.approval.instance?.slice(0, 8)}`,
      );
  }

  #reply(uplink: Uplink): void {
    const reply = this.#heard('replies', uplink);
    if (!reply) return;
    const { station } = uplink;
    this.#io.log.info({ station, id: reply.id, ok: reply.ok }, 'command answered');
    this.#aside(this.#io.store.answerCommand(station, reply.id, JSON.stringify(reply)));
  }

  #heard<C extends UpChannel>(channel: C, { station, payload }: Uplink): Messages[C] | null {
    const decoded = decode(channel, payload);
    if (decoded.ok) return decoded.message;
    this.#io.refusals.note(
      `${decoded.cause} ${channel} ${station}`,
      { station, channel, cause: decoded.cause, detail: decoded.detail },
      'message refused',
    );
    return null;
  }

  #know(station: string, epoch: KnownEpoch): void {
    const known = (this.#epochs.get(station) ?? []).filter(({ id }) => id !== epoch.id);
    this.#epochs.set(station, [...known, epoch].slice(-maxEpochsPerStation));
  }

  #strange(station: string, result: LaneResult): void {
    if (result.kind === 'unknown-station')
      this.#io.refusals.note('unknown station', { station }, 'station is not in the register');
  }

  #alarm(station: string, kind: string, detail: string): void {
    const nowMs = this.#io.clock.monotonicMs();
    const key = `${kind} ${station}`;
    if (nowMs - (this.#alarmedMs.get(key) ?? Number.NEGATIVE_INFINITY) < alarmEveryMs) return;
    this.#alarmedMs.set(key, nowMs);
    const alarm: Alarm = { station, kind, sinceMs: this.#io.clock.wallMs(), detail };
    this.#io.log.error(alarm, 'alarm');
    this.#aside(this.#io.store.raiseAlarm(alarm));
  }

  /** Beside the durable lane: a full disk costs the note, anything else the trust in the store. */
  #aside(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (error instanceof StoreError && isDiskFull(error.cause))
        this.#io.log.warn({ err: error }, 'no room for a note');
      else this.#io.failed(error);
    });
  }
}
