import { sensorKind } from '../../protocol/board-line.ts';
import type { Reading } from '../core/reading.ts';
import type { DriverEvent } from './driver.ts';
import { numberWithin, parseObject } from './json.ts';
import type { LocalMqttDialect } from './local-mqtt.ts';

/**
 * Zigbee2MQTT: `<base>/<friendly name>` carries the device's exposes as JSON,
 * `<base>/<friendly name>/availability` whether it is reachable, `…/get` asks for a value
 * (zigbee2mqtt.io, "MQTT topics and messages").
 *
 * @param devices friendly name → sensor of the station; the sensor's prefix says what it is
 */
export function zigbee2mqttDialect(base: string, devices: Readonly<Record<string, string>>): LocalMqttDialect {
  const plugs = Object.entries(devices).filter(([, sensor]) => sensorKind(sensor) === 'port');
  return {
    subscriptions: Object.keys(devices).flatMap((device) => [`${base}/${device}`, `${base}/${device}/availability`]),
    polls: plugs.map(([device]) => ({ topic: `${base}/${device}/get`, payload: '{"power":""}' })),
    parse: (topic, payload, retained) => parseMessage(base, devices, topic, payload, retained),
  };
}

function parseMessage(
  base: string,
  devices: Readonly<Record<string, string>>,
  topic: string,
  payload: string,
  retained: boolean,
): DriverEvent[] {
  if (!topic.startsWith(`${base}/`)) return [];
  const path = topic.slice(base.length + 1);
  const device = path.replace(/\/availability$/, '');
  const sensor = Object.hasOwn(devices, device) ? devices[device] : undefined;
  if (sensor === undefined) return [];
  if (path !== device) return availability(sensor, payload);
  // A retained reading is as old as nobody knows; the device will speak again.
  if (retained) return [];
  const parsed = parseObject(topic, payload);
  if (!parsed.ok) return [parsed.rejection];
  const reading = readDevice(sensor, parsed.object);
  return [
    reading
      ? { type: 'reading', board: null, reading }
      : { type: 'unknown', what: `${device} says nothing for ${sensor}` },
  ];
}

/** `{"state":"online"}`, or the bare word of older versions. */
function availability(sensor: string, payload: string): DriverEvent[] {
  return /\boffline\b/.test(payload) ? [{ type: 'gone', sensor, reason: 'zigbee2mqtt: offline' }] : [];
}

function readDevice(sensor: string, message: Record<string, unknown>): Reading | null {
  switch (sensorKind(sensor)) {
    case 'door':
      // `contact` is true while the magnet is near: the door is shut.
      return typeof message['contact'] === 'boolean' ? { kind: 'door', sensor, open: !message['contact'] } : null;
    case 'people': {
      const present = message['occupancy'] ?? message['presence'];
      return typeof present === 'boolean' ? { kind: 'people', sensor, present } : null;
    }
    case 'port':
      return plug(sensor, message);
    case 'env':
      return air(sensor, message);
    default:
      return null;
  }
}

/** `power` in W, `energy` in kWh since the plug was made. */
function plug(sensor: string, message: Record<string, unknown>): Reading | null {
  const watts = numberWithin(message['power'], 0, 100_000);
  const kWh = numberWithin(message['energy'], 0, 1e7);
  if (watts === undefined) return null;
  return {
    kind: 'port',
    sensor,
    mw: Math.round(watts * 1000),
    ...(kWh === undefined ? {} : { mwh: Math.round(kWh * 1e6) }),
  };
}

function air(sensor: string, message: Record<string, unknown>): Reading | null {
  const tempC = numberWithin(message['temperature'], -60, 150);
  const rhPct = numberWithin(message['humidity'], 0, 100);
  const co2Ppm = numberWithin(message['co2'], 0, 100_000);
  const smoke = message['smoke'];
  const flood = message['water_leak'];
  const known = {
    ...(tempC === undefined ? {} : { tempC }),
    ...(rhPct === undefined ? {} : { rhPct }),
    ...(co2Ppm === undefined ? {} : { co2Ppm }),
    ...(typeof smoke === 'boolean' ? { smoke } : {}),
    ...(typeof flood === 'boolean' ? { flood } : {}),
  };
  return Object.keys(known).length === 0 ? null : { kind: 'env', sensor, ...known };
}
