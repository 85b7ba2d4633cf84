import type { DeliveryConfig, DeliveryEffect, EpochPosition } from '../../../agent/core/delivery-state.ts';
import type { Welcome } from '../../../protocol/messages.ts';
import { batch, Delivery } from './delivery-steps.ts';

type Up =
  | { type: 'hello'; nonce: string; epochs: readonly { id: string }[] }
  | { type: 'events'; session: string; epoch: string; first: number; upTo: number };
type Down =
  | { type: 'welcome'; welcome: Welcome }
  | { type: 'ack'; session: string; epoch: string; upTo: number }
  | { type: 'reset'; session: string };

/** A cloud that stores by the key alone and acknowledges the contiguous part (protocol README §3, rules 3 and 5). */
class Cloud {
  readonly #stored = new Map<string, Set<number>>();
  #sessions = new Set<string>();
  #made = 0;

  hear(message: Up): Down {
    if (message.type === 'hello') {
      this.#made += 1;
      const session = `s${this.#made}`;
      this.#sessions = new Set([session]);
      const epochs = message.epochs.map(({ id }) => ({ id, upTo: this.upTo(id) }));
      return { type: 'welcome', welcome: { v: 1, nonce: message.nonce, session, now: 0, epochs } };
    }
    const { session, epoch, first, upTo } = message;
    if (!this.#sessions.has(session)) return { type: 'reset', session };
    const stored = this.#stored.get(epoch) ?? new Set();
    this.#stored.set(epoch, stored);
    for (let seq = first; seq <= upTo; seq += 1) stored.add(seq);
    return { type: 'ack', session, epoch, upTo: this.upTo(epoch) };
  }

  upTo(epoch: string): number {
    const stored = this.#stored.get(epoch);
    let upTo = 0;
    while (stored?.has(upTo + 1)) upTo += 1;
    return upTo;
  }

  restart(): void {
    this.#sessions.clear();
  }

  /** From a backup that held this share of every epoch. */
  restore(share: number): void {
    this.restart();
    for (const [epoch, stored] of this.#stored) {
      const kept = Math.floor(this.upTo(epoch) * share);
      for (const seq of stored) if (seq > kept) stored.delete(seq);
    }
  }
}

/** One station and one cloud, and what is under way between them, in order, in virtual time. */
export class LossyLink {
  delivery: Delivery;
  readonly #config: Partial<DeliveryConfig>;
  readonly #random: number;
  readonly #cloud = new Cloud();
  readonly #epochs: EpochPosition[] = [{ id: 'e1', oldest: 1, last: 0, acked: 0 }];
  #up: Up[] = [];
  #down: Down[] = [];

  constructor(random: number, config: Partial<DeliveryConfig>) {
    this.#random = random;
    this.#config = config;
    this.delivery = this.#start();
  }

  append(events: number): void {
    const current = this.#epochs.at(-1);
    if (!current) return;
    current.last += events;
    this.#execute(this.delivery.step({ type: 'appended', epoch: current.id, last: current.last }));
  }

  carry(way: 'up' | 'down', messages: number, how: 'deliver' | 'lose' | 'double'): void {
    for (let n = 0; n < messages; n += 1) {
      const times = how === 'lose' ? 0 : how === 'double' ? 2 : 1;
      if (way === 'up') {
        const message = this.#up.shift();
        for (let time = 0; message && time < times; time += 1) this.#down.push(this.#cloud.hear(message));
      } else {
        const message = this.#down.shift();
        for (let time = 0; message && time < times; time += 1) this.#execute(this.delivery.step(message));
      }
    }
  }

  wait(ms: number): void {
    const endMs = this.delivery.nowMs + ms;
    let ticks = 0;
    for (let dueMs = this.delivery.dueMs(); dueMs <= endMs; dueMs = this.delivery.dueMs()) {
      ticks += 1;
      if (ticks > 10_000) throw new Error('ticks without end');
      this.#execute(this.delivery.tickAt(Math.max(this.delivery.nowMs + 1, dueMs)));
    }
    this.delivery.nowMs = Math.max(endMs, this.delivery.nowMs);
  }

  /** What was under way is lost. */
  reconnect(): void {
    this.#up = [];
    this.#down = [];
    this.#execute(this.delivery.step({ type: 'disconnected' }));
    this.#execute(this.delivery.connect(...this.#epochs.map((epoch) => ({ ...epoch }))));
  }

  restartCloud(): void {
    this.#cloud.restart();
  }

  restoreCloud(share: number): void {
    this.#cloud.restore(share);
  }

  restartAgent(): void {
    this.#epochs.push({ id: `e${this.#epochs.length + 1}`, oldest: 1, last: 0, acked: 0 });
    this.#up = [];
    this.#down = [];
    this.delivery = this.#start();
  }

  /** From now on nothing is lost; time passes until nothing more happens, for some hours at most. */
  settle(): void {
    for (let round = 0; round < 2000; round += 1) {
      if (this.#up.length > 0) this.carry('up', 1, 'deliver');
      else if (this.#down.length > 0) this.carry('down', 1, 'deliver');
      else if (this.delivery.state.phase.kind === 'streaming' && this.#settled()) return;
      else this.wait(1000);
    }
  }

  /** Events that the agent thinks, or should think, are stored and are not. */
  missing(): string[] {
    return this.#epochs.filter(({ id, last }) => this.#cloud.upTo(id) !== last).map(({ id }) => id);
  }

  /** Everything is acknowledged by a session that began after the last harm. */
  #settled(): boolean {
    return this.missing().length === 0 && this.delivery.state.epochs.every(({ acked, last }) => acked === last);
  }

  #start(): Delivery {
    const delivery = new Delivery(this.#config);
    delivery.random = this.#random;
    delivery.nowMs = this.delivery?.nowMs ?? 0;
    delivery.step({ type: 'clock', set: true });
    this.delivery = delivery;
    this.#execute(delivery.connect(...this.#epochs.map((epoch) => ({ ...epoch }))));
    return delivery;
  }

  #execute(effects: readonly DeliveryEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'hello') this.#up.push(effect);
      else if (effect.type === 'acked') this.#acked(effect.epoch, effect.upTo);
      else if (effect.type === 'send') this.#send(effect);
    }
  }

  #send({ session, epoch, first }: { session: string; epoch: string; first: number }): void {
    const last = this.#epochs.find(({ id }) => id === epoch)?.last ?? 0;
    const upTo = Math.min(last, first + batch - 1);
    this.#up.push({ type: 'events', session, epoch, first, upTo });
    this.#execute(this.delivery.sent(epoch, first, upTo));
  }

  #acked(id: string, upTo: number): void {
    const epoch = this.#epochs.find((known) => known.id === id);
    if (epoch) epoch.acked = upTo;
  }
}
