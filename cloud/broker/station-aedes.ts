import { Aedes, type Client, type PublishPacket } from 'aedes';

type PublishDone = (error?: Error) => void;

/**
 * What a station publishes was taken by the ingest when it was authorised: it is not forwarded, kept,
 * or matched against subscriptions that nobody may have.
 */
export class StationAedes extends Aedes {
  override publish(packet: PublishPacket, ...rest: [PublishDone] | [Client | null, PublishDone]): void {
    const [client, done] = rest.length === 1 ? [null, rest[0]] : rest;
    if (client) done();
    else super.publish(packet, done);
  }
}
