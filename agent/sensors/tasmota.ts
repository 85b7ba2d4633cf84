import type { Reading } from '../core/reading.ts';
import type { DriverEvent } from './driver.ts';
import { isObject, numberWithin, parseObject } from './json.ts';
import type { LocalMqttDialect } from './local-mqtt.ts';

/**
 * Tasmota plugs: `tele/<topic>/SENSOR` and `stat/<topic>/STATUS10` carry `ENERGY`,
 * `tele/<topic>/LWT` is `Online` or `Offline`, `cmnd/<topic>/Status 10` asks for a reading
 * (tasmota.github.io, "MQTT" and "Power Monitoring").
 *
 * @param devices Tasmota topic → sensor of the station
 */
export function tasmotaDialect(devices: Readonly<Record<string, string>>): LocalMqttDialect {
  const topics = Object.keys(devices);
  return {
    subscriptions: topics.flatMap((topic) => [`tele/${topic}/SENSOR`, `tele/${topic}/LWT`, `stat/${topic}/STATUS10`]),
    polls: topics.map((topic) => ({ topic: `cmnd/${topic}/Status`, payload: '10' })),
    parse: (topic, payload, retained) => parseMessage(devices, topic, payload, retained),
  };
}

function parseMessage(
  devices: Readonly<Record<string, string>>,
  topic: string,
  payload: string,
  retained: boolean,
): DriverEvent[] {
  const [, device = '', what = ''] = /^(?:tele|stat)\/(.+)\/([A-Z0-9]+)$/.exec(topic) ?? [];
  const sensor = Object.hasOwn(devices, device) ? devices[device] : undefined;
  if (sensor === undefined) return [];
  if (what === 'LWT') return payload === 'Offline' ? [{ type: 'gone', sensor, reason: 'tasmota: Offline' }] : [];
  // A retained reading is as old as nobody knows; the plug will speak again.
  if (retained) return [];
  const parsed = parseObject(topic, payload);
  if (!parsed.ok) return [parsed.rejection];
  const status = what === 'STATUS10' ? parsed.object['StatusSNS'] : parsed.object;
  const reading = isObject(status) ? readEnergy(sensor, status['ENERGY']) : null;
  return [
    reading
      ? { type: 'reading', board: null, reading }
      : { type: 'unknown', what: `${device} says no ENERGY for ${sensor}` },
  ];
}

/** `Power` in W, `Total` in kWh since the plug was made. */
function readEnergy(sensor: string, energy: unknown): Reading | null {
  if (!isObject(energy)) return null;
  const watts = numberWithin(energy['Power'], 0, 100_000);
  const kWh = numberWithin(energy['Total'], 0, 1e7);
  if (watts === undefined) return null;
  return {
    kind: 'port',
    sensor,
    mw: Math.round(watts * 1000),
    ...(kWh === undefined ? {} : { mwh: Math.round(kWh * 1e6) }),
  };
}
