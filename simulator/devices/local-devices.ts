import { createServer } from 'node:net';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import { type Clock, every } from '../../protocol/host/clock.ts';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import type { Sensed } from '../core/world.ts';
import type { LedgerWriter } from '../ledger/ledger.ts';

export type LocalDevicesConfig = {
  port: number;
  /** Index of the world's port behind the Zigbee plug, and behind the Tasmota plug. */
  zigbeePort: number;
  tasmotaPort: number;
};

/** What a station.yaml maps: device at the gateway → sensor of the station. */
export const zigbeeDevices = { 'back-door': 'door-2', 'room-presence': 'people-2', 'plug-left': 'port-8' } as const;
export const tasmotaDevices = { 'plug-right': 'port-9' } as const;

const reportMs = 5000;

/**
 * The station's local broker with a Zigbee2MQTT and a Tasmota plug on it, speaking as those do.
 *
 * @throws CommandError where the port is taken
 */
export async function startLocalDevices(
  config: LocalDevicesConfig,
  sensed: () => Sensed,
  ledger: LedgerWriter,
  clock: Clock,
): Promise<AsyncDisposable & { url: string }> {
  await using opened = new AsyncDisposableStack();
  const aedes = await Aedes.createBroker();
  opened.defer(() => new Promise<void>((resolve) => aedes.close(resolve)));
  const server = createServer((socket) => {
    socket.on('error', () => {});
    aedes.handle(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new CommandError(`127.0.0.1:${config.port}: ${error.message}`, exitCodes.unavailable)),
    );
    server.listen(config.port, '127.0.0.1', resolve);
  });
  const meters = { zigbee: 0, tasmota: 0 };

  /** A plug's own total, in whole watt-hours as it tells them; what it gains is the truth. */
  function total(meter: keyof typeof meters, sensor: string, index: number): { watts: number; kWh: number } {
    const { mw, mwh } = sensed().ports[index] ?? { mw: 0, mwh: 0 };
    const wh = Math.floor(mwh / 1000);
    if (wh > meters[meter])
      ledger.add({ kind: 'count', at: clock.wallMs(), sensor, field: 'mwh', by: (wh - meters[meter]) * 1000 });
    meters[meter] = wh;
    ledger.flush();
    return { watts: Math.round(mw / 100) / 10, kWh: wh / 1000 };
  }

  function publish(topic: string, payload: string, retain = false): void {
    aedes.publish({ cmd: 'publish', topic, payload, qos: 0, retain, dup: false }, () => {});
  }

  function zigbee(): void {
    const { inside } = sensed();
    const { watts, kWh } = total('zigbee', zigbeeDevices['plug-left'], config.zigbeePort);
    publish('zigbee2mqtt/back-door', JSON.stringify({ battery: 97, contact: true, linkquality: 120, voltage: 3005 }));
    publish(
      'zigbee2mqtt/room-presence',
      JSON.stringify({ battery: 88, illuminance: 210, linkquality: 96, occupancy: inside > 0 }),
    );
    publish(
      'zigbee2mqtt/plug-left',
      JSON.stringify({ state: 'ON', power: watts, energy: kWh, voltage: 230, linkquality: 140 }),
    );
  }

  function tasmota(topic: string, wrap: (sensors: object) => object): void {
    const { watts, kWh } = total('tasmota', tasmotaDevices['plug-right'], config.tasmotaPort);
    const time = new Date(clock.wallMs()).toISOString().slice(0, 19);
    const sensors = {
      Time: time,
      ENERGY: {
        TotalStartTime: '2026-01-01T00:00:00',
        Total: kWh,
        Yesterday: 0,
        Today: kWh,
        Period: 0,
        Power: watts,
        ApparentPower: watts,
        Factor: 0.9,
        Voltage: 230,
        Current: watts / 230,
      },
    };
    publish(topic, JSON.stringify(wrap(sensors)));
  }

  aedes.on('publish', (packet: PublishPacket, client: Client | null) => {
    if (client === null) return;
    if (packet.topic.startsWith('zigbee2mqtt/') && packet.topic.endsWith('/get')) zigbee();
    if (packet.topic === 'cmnd/plug-right/Status')
      tasmota('stat/plug-right/STATUS10', (sensors) => ({ StatusSNS: sensors }));
  });
  for (const device of Object.keys(zigbeeDevices))
    publish(`zigbee2mqtt/${device}/availability`, '{"state":"online"}', true);
  publish('tele/plug-right/LWT', 'Online', true);
  const stop = every(clock, reportMs, () => {
    zigbee();
    tasmota('tele/plug-right/SENSOR', (sensors) => sensors);
  });
  const bound = server.address();
  const held = opened.move();
  return {
    url: `mqtt://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : config.port}`,
    async [Symbol.asyncDispose]() {
      stop();
      const closed = new Promise((resolve) => server.close(resolve));
      await held.disposeAsync();
      await closed;
    },
  };
}
