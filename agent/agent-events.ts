import type { EventBody } from '../protocol/events.ts';
import type { Logger } from '../protocol/host/log.ts';
import type { Command, Reply } from '../protocol/messages.ts';
import type { StorageCondition } from '../protocol/state.ts';
import type { DeliveryNotice } from './link/durable-lane.ts';
import type { Recovery, Trimmed } from './outbox/outbox.ts';
import type { ClockSet } from './trusted-clock.ts';
import { agentVersion } from './version.ts';

type AgentEvent = Extract<EventBody, { kind: 'agent' }>;
type Detail = NonNullable<AgentEvent['detail']>;

export type StartReason = 'start' | 'reload' | 'storage-failed';

/** What the agent says of itself: each business event once in the log and, where it counts, as an event. */
export class AgentEvents {
  readonly #log: Logger;
  readonly #push: (body: AgentEvent) => void;

  constructor(log: Logger, push: (body: AgentEvent) => void) {
    this.#log = log;
    this.#push = push;
  }

  started(epoch: string, why: StartReason): void {
    this.#log.info({ epoch, why }, 'agent started');
    this.#say('started', { version: agentVersion, why });
    if (why === 'reload') this.#say('config-applied');
  }

  stopping(reason: string): void {
    this.#say('stopped', { reason });
  }

  stopped(reason: string, drained: boolean): void {
    this.#log.info({ reason, drained }, 'agent stopped');
  }

  recovered(recovery: Recovery): void {
    this.#log.error(recovery, 'outbox was corrupt: set aside, and salvaged what could be read');
    this.#alarm('corrupt-outbox', { problem: recovery.problem.slice(0, 200), events: recovery.events });
  }

  trimmed({ rows, measurements, transitions }: Trimmed): void {
    this.#log.error({ rows, measurements, transitions }, 'outbox trimmed: unacknowledged events became gap receipts');
    this.#say('buffer-trimmed', { rows, measurements, transitions });
  }

  storage(condition: StorageCondition): void {
    this.#log[condition === 'ok' ? 'info' : 'error']({ condition }, 'storage condition changed');
    if (condition !== 'ok') this.#alarm(condition, {});
  }

  delivery({ alarm, epoch, acked, upTo }: DeliveryNotice): void {
    this.#log.warn({ alarm, epoch, acked, upTo }, 'the cloud stores another part of the log than was acknowledged');
    if (alarm !== 'rewound') this.#alarm(alarm, { epoch, acked, upTo });
  }

  clockSet({ source, movedMs }: ClockSet): void {
    this.#log.info({ source, movedMs }, 'clock set');
    this.#say('clock-set', { source, movedMs });
  }

  /** @param ran false where it was refused, or answered from memory */
  command({ id, name }: Command, { ok, error }: Omit<Reply, 'v'>, ran: boolean): void {
    this.#log.info({ id, name, ok, ran, error }, 'command');
    if (ran) this.#say('command', { id, name, ok });
  }

  maintained(use: { rows: number; bytes: number }): void {
    this.#log.info(use, 'outbox maintained');
  }

  selfReport(detail: Detail): void {
    this.#say('self-report', detail);
  }

  #alarm(alarm: string, detail: Detail): void {
    this.#say('storage-alarm', { alarm, ...detail });
  }

  #say(what: AgentEvent['what'], detail?: Detail): void {
    this.#push({ kind: 'agent', sensor: 'agent', what, ...(detail === undefined ? {} : { detail }) });
  }
}
