import { LinkError, type OpenSession, type Outgoing } from '../../../protocol/host/session.ts';
import { mayPublish, maySubscribe, parseTopic } from '../../../protocol/topics.ts';
import type { Random } from '../../../simulator/core/random.ts';
import type { Life } from '../kernel/life.ts';
import type { Timeline } from '../kernel/timeline.ts';
import { Connection } from './connection.ts';
import type { Uplink } from './uplink.ts';

/** What the broker does wrong, by chance; 0 is never. */
export type BrokerFaults = {
  /** Share of messages that it acknowledged and never delivers. */
  loses: number;
  /** Share of messages that it delivers twice. */
  doubles: number;
  /** Share of messages that it keeps back for up to a minute. */
  holds: number;
};

export const soundBroker: BrokerFaults = { loses: 0, doubles: 0, holds: 0 };

const longestHoldMs = 60_000;

/** Whoever may speak for all stations. */
export const cloudUser = 'yizhan-cloud';

/**
 * An MQTT broker as stations and cloud see it through a session: QoS 1, retained messages, wills,
 * take-over by client id, the rights of protocol/README §4; over links that delay, break and lie.
 */
export class SimBroker {
  faults: BrokerFaults = soundBroker;
  /** Hears what is said, at the moment at which it leaves its process. */
  overhear: (username: string, message: Outgoing) => void = () => {};
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #passwords = new Map<string, string>();
  readonly #connections = new Map<string, Connection>();
  readonly #retained = new Map<string, Uint8Array>();
  #running = true;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  admit(username: string, password: string): void {
    this.#passwords.set(username, password);
  }

  /** The transport of one process on one machine. */
  transport(uplink: Uplink, life: Life): OpenSession {
    return async (options) => {
      life.enter();
      const { promise, resolve, reject } = Promise.withResolvers<Connection>();
      const refuse = (why: string, afterMs: number): void =>
        void this.#timeline.after(afterMs, () => life.run(() => reject(new LinkError(why))));
      if (uplink.state.kind === 'cut') refuse('no route to the broker', this.#random.int(2000));
      else if (!uplink.sends || !uplink.hears) refuse('connack timeout', options.connectTimeoutMs);
      else
        this.#timeline.after(this.#delay(uplink) * 2, () => {
          if (!this.#running) return refuse('connection refused', 0);
          if (this.#passwords.get(options.username ?? '') !== options.password)
            return refuse('Connection refused: Not authorized', 0);
          if (!life.alive) return;
          const connection = new Connection(options, uplink, life, this.#timeline, {
            delay: () => this.#delay(uplink),
            chance: () => this.#random.next(),
            left: (message) => this.overhear(options.username ?? '', message),
            arrived: (message) => this.#take(connection, message),
            gone: (willed) => this.#gone(connection, willed),
          });
          this.#connections.get(options.clientId)?.end('session taken over', true);
          this.#connections.set(options.clientId, connection);
          resolve(connection);
        });
      const connection = await promise;
      this.#subscribe(connection);
      return connection.session;
    };
  }

  /** Everybody is thrown out; what was under way may be lost. */
  restart(downMs: number, keepsRetained: boolean): void {
    this.#running = false;
    if (!keepsRetained) this.#retained.clear();
    for (const connection of [...this.#connections.values()]) connection.end('the broker went away', false);
    this.#timeline.after(downMs, () => {
      this.#running = true;
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  #delay({ delayMs: [least, most] }: Uplink): number {
    return least + this.#random.next() * (most - least);
  }

  #subscribe(connection: Connection): void {
    const { username, subscriptions } = connection.options;
    for (const filter of subscriptions) {
      if (username !== cloudUser && !maySubscribe(username ?? '', filter)) throw new LinkError(`refused: ${filter}`);
      for (const [topic, payload] of this.#retained)
        if (matches(filter, topic)) connection.deliver({ topic, payload, retained: true });
    }
  }

  #take(from: Connection, message: Outgoing): void {
    if (!this.#running) return;
    const { username } = from.options;
    if (username !== cloudUser && !mayPublish(username ?? '', message.topic)) return;
    this.#publish(message);
  }

  #publish({ topic, payload, retain }: Outgoing): void {
    if (retain) this.#retained.set(topic, payload);
    if (this.#random.chance(this.faults.loses)) return;
    const times = this.#random.chance(this.faults.doubles) ? 2 : 1;
    for (let time = 0; time < times; time++) {
      const heldMs = this.#random.chance(this.faults.holds) ? this.#random.next() * longestHoldMs : 0;
      if (heldMs === 0) this.#forward(topic, payload);
      else this.#timeline.after(heldMs, () => this.#forward(topic, payload));
    }
  }

  #forward(topic: string, payload: Uint8Array): void {
    for (const connection of this.#connections.values())
      if (connection.options.subscriptions.some((filter) => matches(filter, topic)))
        connection.deliver({ topic, payload, retained: false });
  }

  #gone(connection: Connection, willed: boolean): void {
    const { clientId, will } = connection.options;
    if (this.#connections.get(clientId) === connection) this.#connections.delete(clientId);
    if (willed && will && this.#running) this.#publish(will);
  }
}

/** `+` for one level is all that the cloud uses. */
function matches(filter: string, topic: string): boolean {
  if (!filter.includes('+')) return filter === topic;
  const address = parseTopic(topic);
  return address !== null && filter === `stations/+/${address.channel}`;
}
