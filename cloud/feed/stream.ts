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
    response.write(
      `retry: ${retryMs}\n\n${this.#event('hello', seq, { version: '1', region, epoch, seq, now: this.#clock.wallMs() })}`,
    );
    if (lastEventId === undefined || lastEventId === '') return;
    const resumed = parseEventId(lastEventId);
    if (resumed === null || resumed.epoch !== epoch || resumed.seq > seq) {
      response.write(this.#event('reset', seq, { reason: 'unknown event id: fetch the region again' }));
      return;
    }
    const missed = this.#board.since(region, resumed.seq);
    if (missed.stations.length > 0) response.write(this.#patchEvent(missed, missed.stations));
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    for (const clients of this.#clients.values()) for (const response of clients) response.end();
  }

  /** One buffer a region, however many follow it. */
  #publish(patch: Patch): void {
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
    for (const [region, stations] of byRegion) this.#send(region, Buffer.from(this.#patchEvent(patch, stations)));
  }

  #beat(): void {
    const beat = Buffer.from(this.#event('beat', this.#board.seq, { now: this.#clock.wallMs() }));
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

  #patchEvent(patch: Patch, stations: readonly PublicStatus[]): string {
    return this.#event('patch', patch.seq, { evaluated_at: patch.evaluatedAt, stations });
  }

  #event(name: string, seq: number, data: object): string {
    return `event: ${name}\nid: ${this.#board.epoch}-${seq}\ndata: ${JSON.stringify(data)}\n\n`;
  }
}

export function parseEventId(text: string): { epoch: string; seq: number } | null {
  const [, epoch, seq] = /^([0-9a-z]{1,32})-(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? null : { epoch, seq: Number(seq) };
}
