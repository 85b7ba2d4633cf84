import { type CounterRun, release } from '../../../agent/core/counter.ts';
import {
  type PeopleMemory,
  type PeopleState,
  peopleReading,
  peopleTick,
  settlePeople,
  startPeople,
} from '../../../agent/core/people.ts';
import type { EventBody } from '../../../protocol/events.ts';

export const minute = 60_000;
export const config = { emptyAfterMs: 10 * minute, doorShutEmptyMs: 240 * minute, quietIdleMs: 30 * minute };
export const run: CounterRun = { generation: 0, bootedAtMs: null };

export type Word = { in?: number; out?: number; present?: boolean };
type Step = { state: PeopleState; events: EventBody[] };

/** Plays words into the people machine and keeps what it says. */
export class People {
  state: PeopleState;
  #said: EventBody[] = [];

  constructor(memory?: PeopleMemory, nowMs = 0) {
    this.state = startPeople(memory, nowMs);
  }

  hears(word: Word, nowMs = 0, { sensor = 'people', of = run as CounterRun | null } = {}): this {
    return this.take(peopleReading(this.state, { kind: 'people', sensor, ...word }, of, nowMs));
  }

  ticks(nowMs: number, door: { open: boolean; sinceMs: number } | null): this {
    return this.take(peopleTick(this.state, door, nowMs, config));
  }

  restarts(sensor = 'people'): this {
    const begun = { generation: 1, bootedAtMs: null };
    return this.take(settlePeople(this.state, sensor, (counter) => release(counter, run, begun, 0), 0));
  }

  take({ state, events }: Step): this {
    this.state = state;
    this.#said.push(...events);
    return this;
  }

  /** What was said since it was asked last, in short. */
  said(): object[] {
    const said = this.#said;
    this.#said = [];
    return said.map(({ kind: _kind, ...event }) => (event.sensor === 'people' ? withoutSensor(event) : event));
  }
}

function withoutSensor({ sensor: _sensor, ...event }: { sensor: string }): object {
  return event;
}
