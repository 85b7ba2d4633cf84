import type { OpenSession } from '../../protocol/host/session.ts';
import type { DriverConfig } from '../config.ts';
import type { SourceSpec } from '../core/station-core.ts';
import type { OpenWire } from './board/address.ts';
import { startBoardDriver } from './board/board-driver.ts';
import type { Driver, DriverEvent, DriverIo } from './driver.ts';
import { startLocalMqtt } from './local-mqtt.ts';
import { tasmotaDialect } from './tasmota.ts';
import { zigbee2mqttDialect } from './zigbee2mqtt.ts';

const backoff = { firstMs: 500, maxMs: 30_000, stableMs: 10_000 };

export type DriversIo = Omit<DriverIo, 'emit'> & {
  openSession: OpenSession;
  openWire: OpenWire;
  emit: (source: string, event: DriverEvent) => void;
};

/** What the core has to know of every configured driver, by its name. */
export function sourceSpecs(drivers: readonly DriverConfig[]): Record<string, SourceSpec> {
  return Object.fromEntries(drivers.map((driver) => [driver.name, sourceSpec(driver)]));
}

export function startDrivers(drivers: readonly DriverConfig[], io: DriversIo): Driver[] {
  return drivers.map((driver) => startDriver(driver, { ...io, emit: (event) => io.emit(driver.name, event) }));
}

function sourceSpec(driver: DriverConfig): SourceSpec {
  const silentAfterMs = driver.silentAfterS * 1000;
  if (driver.driver === 'board') return { counters: 'board', silentAfterMs, expects: driver.expect };
  return { counters: 'meter', silentAfterMs, expects: Object.values(driver.devices) };
}

function startDriver(driver: DriverConfig, io: Omit<DriversIo, 'emit'> & DriverIo): Driver {
  switch (driver.driver) {
    case 'board':
      return startBoardDriver(
        { ...driver, ignore: new Set(driver.ignore), readSilenceMs: driver.readSilenceS * 1000, backoff },
        io.openWire,
        io,
      );
    case 'zigbee2mqtt':
      return startLocalMqtt(
        { ...driver, pollMs: driver.pollS * 1000, backoff },
        zigbee2mqttDialect(driver.base, driver.devices),
        io.openSession,
        io,
      );
    case 'tasmota':
      return startLocalMqtt(
        { ...driver, pollMs: driver.pollS * 1000, backoff },
        tasmotaDialect(driver.devices),
        io.openSession,
        io,
      );
  }
}
