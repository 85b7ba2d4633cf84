import type { Reading } from '../core/reading.ts';
import type { DriverEvent } from './driver.ts';
import { isObject, numberWithin, parseObject } from './json.ts';
import type { LocalMqttDialect } from './local-mqtt.ts';

const maxWatts = 100_000;
const maxKWh = 1e7;

/** What one entry of the configuration names: a whole plug, or one outlet of it, counted from 1. */
type Outlet = { name: string; sensor: string; channel: number | null };

/**
 * Tasmota plugs: `tele/<topic>/SENSOR` and `stat/<topic>/STATUS10` carry `ENERGY`,
 * `tele/<topic>/LWT` is `Online` or `Offline`, `cmnd/<topic>/Status 10` asks for a reading
 * (tasmota.github.io, "MQTT" and "Power Monitoring").
 *
 * @param devices Tasmota topic, or `topic#2` for the second outlet of a plug with several → sensor of the station
 */
export function tasmotaDialect(devices: Readonly<Record<string, string>>): LocalMqttDialect {
  const plugs = new Map<string, Outlet[]>();
  for (const [name, sensor] of Object.entries(devices)) {
    const [, topic = name, channel] = /^(.+)#([1-9])$/.exec(name) ?? [];
    const outlet = { name, sensor, channel: channel === undefined ? null : Number(channel) };
    plugs.set(topic, [...(plugs.get(topic) ?? []), outlet]);
  }
  const topics = [...plugs.keys()];
  return {
    subscriptions: topics.flatMap((topic) => [`tele/${topic}/SENSOR`, `tele/${topic}/LWT`, `stat/${topic}/STATUS10`]),
    polls: topics.map((topic) => ({ topic: `cmnd/${topic}/Status`, payload: '10' })),
    parse: (topic, payload, retained) => parseMessage(plugs, topic, payload, retained),
  };
}

function parseMessage(
  plugs: ReadonlyMap<string, readonly Outlet[]>,
  topic: string,
  payload: string,
  retained: boolean,
): DriverEvent[] {
  const [, device = '', what = ''] = /^(?:tele|stat)\/(.+)\/(SENSOR|STATUS10|LWT)$/.exec(topic) ?? [];
  const outlets = plugs.get(device) ?? [];
  if (what === 'LWT')
    return payload === 'Offline'
      ? outlets.map(({ sensor }) => ({ type: 'gone', sensor, reason: 'tasmota: Offline' }))
      : [];
  // A retained reading is as old as nobody knows; the plug will speak again.
  if (retained || outlets.length === 0) return [];
  const parsed = parseObject(topic, payload);
  if (!parsed.ok) return [parsed.rejection];
  const status = what === 'STATUS10' ? parsed.object['StatusSNS'] : parsed.object;
  return outlets.map((outlet) => {
    const reading = isObject(status) ? readEnergy(outlet, status['ENERGY']) : null;
    return reading
      ? { type: 'reading', board: null, reading }
      : { type: 'unknown', what: `${outlet.name} says no ENERGY for ${outlet.sensor}` };
  });
}

/** `Power` in W, `Total` in kWh since the plug was made. */
function readEnergy({ sensor, channel }: Outlet, energy: unknown): Reading | null {
  if (!isObject(energy)) return null;
  const { Power: power, Total: total } = energy;
  const several = Array.isArray(power);
  const watts = ofOutlet(several ? power : [power], channel, maxWatts);
  if (watts === undefined) return null;
  const kWh = totalOf(total, several, channel);
  return {
    kind: 'port',
    sensor,
    mw: Math.round(watts * 1000),
    ...(kWh === undefined ? {} : { mwh: Math.round(kWh * 1e6) }),
  };
}

/** Of several outlets it is the sum, or with SetOption129 an array; of several tariffs an array that begins with the sum. */
function totalOf(total: unknown, several: boolean, channel: number | null): number | undefined {
  if (Array.isArray(total)) return several ? ofOutlet(total, channel, maxKWh) : numberWithin(total[0], 0, maxKWh);
  return several && channel !== null ? undefined : numberWithin(total, 0, maxKWh);
}

/** One outlet's value, or the sum of all for the whole plug; undefined where it is not told. */
function ofOutlet(values: readonly unknown[], channel: number | null, max: number): number | undefined {
  const chosen = channel === null ? values : values.slice(channel - 1, channel);
  const numbers = chosen.map((value) => numberWithin(value, 0, max));
  if (numbers.length === 0 || numbers.includes(undefined)) return undefined;
  return numbers.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}
