import type { DownChannel, UpChannel } from '../../protocol/topics.ts';

/** One message of a station whose identity the broker vouches for. */
export type Uplink = {
  station: string;
  channel: UpChannel;
  payload: Uint8Array;
  retained: boolean;
  /** Answers on the way that the message came. */
  reply: (channel: DownChannel, payload: Buffer) => void;
};

/** Who takes the stations' messages. The promise resolves once there is room for the next one. */
export type TakeUplink = (uplink: Uplink) => Promise<void> | undefined;

/** The cloud's side of a broker, embedded or external. */
export interface CloudBroker extends AsyncDisposable {
  /** Sends to whoever is connected as this station; nothing is kept for later. */
  send(station: string, channel: DownChannel, payload: Buffer): void;
  /** Ends every connection of the station and what the broker keeps for it. */
  disconnect(station: string): void;
  /** Ends every connection whose credential is no longer the one that it logged in with. */
  recheck(): Promise<void>;
  /** Stations are heard now. */
  connected(): boolean;
  /** Connections of stations; null where the broker does not tell. */
  connections(): number | null;
}
