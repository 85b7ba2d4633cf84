import mqtt, { type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { StationEvent } from '../../protocol/events.ts';
import type { Ack, Command, Reset, Welcome } from '../../protocol/messages.ts';
import type { StationState } from '../../protocol/state.ts';
import { epochA, stateOf } from './station-words.ts';
import { waitFor } from './wait.ts';

/** Fields of what a station is told; which of them are there depends on the channel. */
export type Told = Partial<Welcome & Ack & Reset & Command>;
export type StationLogin = { port: number; id: string; password?: string };

/** A station by MQTT.js: says exactly what a test wants, and keeps what it is told. */
export class MqttStation {
  readonly id: string;
  readonly client: MqttClient;
  readonly told: { channel: string; body: Told }[] = [];
  #session = '';
  #nonces = 0;
  #seq = 0;

  constructor(id: string, client: MqttClient) {
    this.id = id;
    this.client = client;
    client.on('error', () => {});
    client.on('message', (topic, payload) =>
      this.told.push({ channel: topic.split('/')[2] ?? '', body: JSON.parse(payload.toString()) }),
    );
  }

  get connected(): boolean {
    return this.client.connected;
  }

  /** Resolves with the broker's PUBACK. */
  async say(channel: string, body: object): Promise<void> {
    await this.client.publishAsync(`stations/${this.id}/${channel}`, JSON.stringify({ v: 1, ...body }), { qos: 1 });
  }

  async state(more: Partial<StationState> & { inside?: number } = {}): Promise<void> {
    await this.say('state', stateOf({ seq: this.#seq, ...more }));
  }

  async hello({ acked = 0 } = {}): Promise<Told> {
    const nonce = `hello${++this.#nonces}`;
    const epochs = [{ id: epochA, oldest: 1, last: Math.max(this.#seq, acked), acked }];
    await this.say('hello', { nonce, instance: 'f'.repeat(32), agent: '0.1.0', configHash: 'c', epochs });
    const welcome = await this.answer('welcome', (body) => body.nonce === nonce);
    this.#session = welcome.session ?? '';
    return welcome;
  }

  /** Sends events as one batch; resolves with the ack that covers them. */
  async events(events: readonly (StationEvent | object)[]): Promise<Told> {
    const first = this.#seq + 1;
    this.#seq += events.length;
    const upTo = this.#seq;
    await this.say('events', { session: this.#session, epoch: epochA, first, events });
    return this.answer('ack', (body) => body.upTo === upTo);
  }

  answer(channel: string, is: (body: Told) => boolean = () => true): Promise<Told> {
    return waitFor(
      `${channel} for ${this.id}`,
      () => this.told.find((one) => one.channel === channel && is(one.body))?.body,
    );
  }

  /** The connection breaks as at a power cut. */
  cut(): void {
    this.client.stream.destroy();
  }
}

/** @throws Error where the broker refuses the login */
export async function connectStation({ port, id, password = id }: StationLogin): Promise<MqttStation> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: id, username: id, password, reconnectPeriod: 0 });
  const station = new MqttStation(id, client);
  onTestFinished(async () => void (await client.endAsync(true)));
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
  await client.subscribeAsync(
    ['welcome', 'reset', 'ack', 'config', 'commands'].map((channel) => `stations/${id}/${channel}`),
    { qos: 1 },
  );
  return station;
}
