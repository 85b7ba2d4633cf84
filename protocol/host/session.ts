/** A message that a peer sent; `retained` marks one that the broker kept from earlier. */
export type Received = { topic: string; payload: Uint8Array; retained: boolean };

export type Outgoing = { topic: string; payload: Buffer; retain: boolean };

/** One connection to a broker, from its acceptance to its end. It never reconnects by itself. */
export interface MessageSession {
  /** Sends at least once while connected; nothing is queued for later, and nothing is promised. */
  publish(message: Outgoing): void;
  /** Bytes that were handed over and have not left yet. */
  queuedBytes(): number;
  /** Resolves with the reason when the connection is gone, by whichever side. */
  readonly closed: Promise<string>;
  /** Lets what was published leave, then closes. The will is not sent. */
  close(): Promise<void>;
  /** Drops the connection at once, as a crash would: the broker sends the will. */
  abort(): void;
}

export type SessionOptions = {
  url: string;
  clientId: string;
  username?: string | undefined;
  password?: string | undefined;
  /** MQTT 3.1.1 or 5; other transports ignore it. */
  mqttVersion: '3.1.1' | '5';
  keepaliveS: number;
  connectTimeoutMs: number;
  will?: Outgoing | undefined;
  subscriptions: readonly string[];
  /** PEM of the authorities to trust in place of the system's. */
  ca?: string | undefined;
  onMessage: (message: Received) => void;
};

/**
 * Connects and subscribes: a transport. MQTT is one; a simulated network is another.
 *
 * @throws LinkError where the broker does not answer, or refuses
 */
export type OpenSession = (options: SessionOptions) => Promise<MessageSession>;

/** No connection, or none any more: to be retried with backoff. */
export class LinkError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LinkError';
  }
}
