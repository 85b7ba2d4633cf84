import { onTestFinished } from 'vitest';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import type { MessageSession, Received, SessionOptions } from '../../../protocol/host/session.ts';
import { waitFor } from '../../support/wait.ts';

export type Client = MessageSession & {
  /** What came so far, as `topic payload`, with ` retained` behind what the broker kept. */
  heard: string[];
  say: (topic: string, text: string, retain?: boolean) => void;
  /** Waits for this as the last that was heard. */
  hears: (line: string) => Promise<void>;
};

/** A session with sensible options, dropped with the test. */
export async function connect(options: Partial<SessionOptions> & { url: string }): Promise<Client> {
  const heard: string[] = [];
  const session = await openMqttSession({
    clientId: `client-${Math.random().toString(36).slice(2)}`,
    mqttVersion: '3.1.1',
    keepaliveS: 30,
    connectTimeoutMs: 10_000,
    subscriptions: [],
    onMessage: (message) => void heard.push(lineOf(message)),
    ...options,
  });
  onTestFinished(() => session.abort());
  return {
    ...session,
    heard,
    say: (topic, text, retain = false) => session.publish({ topic, payload: Buffer.from(text), retain }),
    hears: async (line) => void (await waitFor(`${line} in ${heard}`, () => heard.at(-1) === line)),
  };
}

function lineOf({ topic, payload, retained }: Received): string {
  return `${topic} ${Buffer.from(payload).toString()}${retained ? ' retained' : ''}`;
}
