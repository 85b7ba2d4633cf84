import { stringify } from 'yaml';
import { tasmotaDevices, zigbeeDevices } from '../devices/local-devices.ts';

export type StationYaml = {
  station: string;
  dataDir: string;
  cloudUrl: string;
  password: string;
  capacity: number;
  boardAddress: string;
  localBroker: string | null;
};

/** The configuration that an unmodified agent gets for a simulated station. */
export function stationYaml({
  station,
  dataDir,
  cloudUrl,
  password,
  capacity,
  boardAddress,
  localBroker,
}: StationYaml): string {
  const gateways =
    localBroker === null
      ? []
      : [
          { driver: 'zigbee2mqtt', broker: localBroker, base: 'zigbee2mqtt', devices: zigbeeDevices, pollS: 5 },
          { driver: 'tasmota', broker: localBroker, devices: tasmotaDevices, pollS: 5 },
        ];
  return stringify({
    station,
    dataDir,
    capacity,
    cloud: { url: cloudUrl, username: station, password },
    measureEveryS: 30,
    sensors: [{ driver: 'board', port: boardAddress }, ...gateways],
  });
}
