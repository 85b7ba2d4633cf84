import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { waitFor } from './wait.ts';

export type SseEvent = { event: string; id: string | null; data: SseData };
/** Fields of the feed's events; which of them are there depends on the event. */
export type SseData = {
  version?: string;
  region?: string;
  epoch?: string;
  seq?: number;
  now?: number;
  reason?: string;
  evaluated_at?: string;
  stations?: StationStatus[];
};
export type StationStatus = { id: string; state: string; [field: string]: unknown };

/** One follower by node:http that keeps every byte it was sent. */
export class Follower {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly ended: Promise<'ended' | 'cut'>;
  readonly #response: IncomingMessage;
  text = '';

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      this.text += part;
    });
    response.on('error', () => {});
    this.ended = new Promise((resolve) => response.once('close', () => resolve(response.complete ? 'ended' : 'cut')));
  }

  get events(): SseEvent[] {
    return parseEvents(this.text);
  }

  /** Waits until `count` events of this name have come, and returns the last of them. */
  async nth(event: string, count: number): Promise<SseEvent> {
    return waitFor(
      `${event} ${count} in ${this.text}`,
      () => this.events.filter((one) => one.event === event)[count - 1],
    );
  }

  close(): void {
    this.#response.destroy();
  }
}

export function follow(base: string, query = '', headers: Record<string, string> = {}): Promise<Follower> {
  return new Promise((resolve, reject) => {
    const request = get(`${base}/v1/stream${query}`, { headers, agent: false }, (response) => {
      const follower = new Follower(response);
      onTestFinished(() => follower.close());
      resolve(follower);
    });
    request.once('error', reject);
  });
}

/** Whole events alone: what the last one lacks is not there yet. */
export function parseEvents(text: string): SseEvent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map(
      (block) =>
        new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])),
    )
    .flatMap((fields) => {
      const event = fields.get('event');
      return event === undefined
        ? []
        : [{ event, id: fields.get('id') ?? null, data: JSON.parse(fields.get('data') ?? 'null') }];
    });
}
