import type { ServerResponse } from 'node:http';
import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';
import type { PublicStatus } from '../core/availability.ts';
import { regionChain } from '../core/regions.ts';
import type { Patch, StatusBoard } from './status-board.ts';

export type StreamConfig = {
  maxClients: number;
  /** A client that leaves more than this unread is dropped; it resumes by its last event id. */
  maxUnreadBytes: number;
  beatMs: number;
};

export const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Default nginx would hold every event back until the response ends.
  'x-accel-buffering': 'no',
  'access-control-allow-origin': '*',
} as const;

const retryMs = 2000;

/** Followers of regions by server-sent events: `hello`, `patch`, `beat`, `reset` (README, "The feed"). */
export class Stream {
  readonly #config: StreamConfig;
  readonly #clock: Clock;
  readonly #board: StatusBoard;
  readonly #clients = new Map<string, Set<ServerResponse>>();
  readonly #stops: Cancel[];
  #count = 0;
  #dropped = 0;

  constructor(config: StreamConfig, clock: Clock, board: StatusBoard) {
    this.#config = config;
    this.#clock = clock;
    this.#board = board;
    this.#stops = [board.listen((patch) => this.#publish(patch)), every(clock, config.beatMs, () => this.#beat())];
  }

  get clients(): number {
    return this.#count;
  }

  /** Clients that did not read as fast as the stations speak. */
  get dropped(): number {
    return this.#dropped;
  }

  hasRoom(): boolean {
    return this.#count < this.#config.maxClients;
  }

  /** Follows a region from the step after `lastEventId` on; one of another process gets a `reset`. */
  follow(response: ServerResponse, region: string, lastEventId: string | undefined): void {
    response.writeHead(200, streamHeaders);
    const clients = this.#clients.get(region) ?? new Set();
    this.#clients.set(region, clients.add(response));
    this.#count += 1;
    response.once('close', () => this.#leave(region, response));
    const { epoch, seq } = this.#board;
    const resumed = lastEventId ? this.#missed(region, lastEventId) : 'fresh';
    // Who is cut off between this and what it missed has to come back with the id that it came with.
    const id = resumed === 'fresh' ? this.#id(seq) : null;
    const hello = { version: '1', region, epoch, seq, now: this.#clock.wallMs() };
    response.write(`retry: ${retryMs}\n\n${eventText('hello', id, hello)}`);
    if (resumed === 'fresh') return;
    if (resumed === null) response.write(this.#reset('unknown event id'));
    else if (resumed.stations.length > 0) response.write(this.#catchUp(resumed));
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    for (const clients of this.#clients.values()) for (const response of clients) response.end();
  }

  /** One buffer a region, however many follow it. */
  #publish(patch: Patch): void {
    for (const region of patch.left) this.#send(region, Buffer.from(this.#reset('a station left the region')));
    const byRegion = new Map<string, PublicStatus[]>();
    for (const status of patch.stations) {
      const record = this.#board.station(status.id);
      for (const region of record ? regionChain(record.region) : []) {
        if (!this.#clients.has(region)) continue;
        const stations = byRegion.get(region);
        if (stations) stations.push(status);
        else byRegion.set(region, [status]);
      }
    }
    for (const [region, stations] of byRegion) this.#send(region, Buffer.from(this.#patch(patch, stations)));
  }

  #beat(): void {
    const beat = Buffer.from(eventText('beat', this.#id(this.#board.seq), { now: this.#clock.wallMs() }));
    for (const region of this.#clients.keys()) this.#send(region, beat);
  }

  #send(region: string, bytes: Buffer): void {
    for (const response of this.#clients.get(region) ?? []) {
      if (response.writableLength > this.#config.maxUnreadBytes) {
        this.#dropped += 1;
        response.destroy();
      } else response.write(bytes);
    }
  }

  #leave(region: string, response: ServerResponse): void {
    const clients = this.#clients.get(region);
    if (!clients?.delete(response)) return;
    this.#count -= 1;
    if (clients.size === 0) this.#clients.delete(region);
  }

  /** What came after an event id; null where nobody here can tell. */
  #missed(region: string, lastEventId: string): Patch | null {
    const last = parseEventId(lastEventId);
    const isOurs = last !== null && last.epoch === this.#board.epoch && last.seq <= this.#board.seq;
    return isOurs ? this.#board.since(region, last.seq) : null;
  }

  /** More than a client may leave unread would have it dropped, and come back for the same, for ever. */
  #catchUp(missed: Patch): Buffer {
    const patch = Buffer.from(this.#patch(missed, missed.stations));
    return patch.length <= this.#config.maxUnreadBytes ? patch : Buffer.from(this.#reset('too much was missed'));
  }

  #patch({ seq, evaluatedAt }: Patch, stations: readonly PublicStatus[]): string {
    return eventText('patch', this.#id(seq), { evaluated_at: evaluatedAt, stations });
  }

  #reset(why: string): string {
    return eventText('reset', this.#id(this.#board.seq), { reason: `${why}: fetch the region again` });
  }

  #id(seq: number): string {
    return `${this.#board.epoch}-${seq}`;
  }
}

/** Without an id a client keeps the one that it has. */
function eventText(name: string, id: string | null, data: object): string {
  return `event: ${name}\n${id === null ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

export function parseEventId(text: string): { epoch: string; seq: number } | null {
  const [, epoch, seq] = /^([0-9a-z]{1,32})-(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? null : { epoch, seq: Number(seq) };
}
