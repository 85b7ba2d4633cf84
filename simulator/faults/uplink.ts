import { type Cancel, type Clock, every } from '../../protocol/host/clock.ts';
import { startProxy } from './proxy.ts';

export type UplinkCuts = {
  /** The uplink fails this often, s; 0 never. */
  cutUplinkEveryS: number;
  cutUplinkForS: number;
};

/** A station's way to its cloud, cut by the clock; `url` is what its agent gets for the cloud's. */
export async function startUplink(
  broker: string,
  { cutUplinkEveryS, cutUplinkForS }: UplinkCuts,
  clock: Clock,
): Promise<AsyncDisposable & { url: string }> {
  const { protocol, hostname, port } = new URL(broker);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  const proxy = await startProxy({ host, port: Number(port) || (protocol === 'mqtts:' ? 8883 : 1883) });
  let mending: Cancel = () => {};
  function cut(): void {
    mending();
    proxy.cut();
    mending = clock.after(cutUplinkForS * 1000, () => proxy.mend());
  }
  const stop = cutUplinkEveryS > 0 ? every(clock, cutUplinkEveryS * 1000, cut) : () => {};
  return {
    url: `${protocol}//127.0.0.1:${proxy.port}`,
    async [Symbol.asyncDispose]() {
      stop();
      mending();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
