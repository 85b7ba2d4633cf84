import { describeDriver } from './driver-contract.ts';
import { boardOnTcp, boardOnTty, driverConfig, tasmota, zigbee } from './rigs.ts';
import { openDeaf, openMute } from './wires.ts';

describeDriver('a board on a tty', boardOnTty);
describeDriver('a board behind a serial server', boardOnTcp, async () =>
  driverConfig({ driver: 'board', port: await openDeaf() }),
);
describeDriver('zigbee2mqtt', zigbee, async () =>
  driverConfig({ driver: 'zigbee2mqtt', broker: await openMute(), devices: { 'back-door': 'door-2' } }),
);
describeDriver('tasmota', tasmota, async () =>
  driverConfig({ driver: 'tasmota', broker: await openMute(), devices: { 'plug-1': 'port-5' } }),
);
