import { expect, test } from 'vitest';
import { loadConfig } from '../../agent/config.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { smallest, stationYaml } from './station-yaml.ts';

type Bound = { field: string; takes: unknown[]; refuses: unknown[] };

const monthS = 31 * 24 * 3600;
const seconds = (field: string): Bound => ({
  field,
  takes: [0.001, monthS],
  refuses: [0, -1, monthS + 1, 'soon', null],
});

const bounds: Bound[] = [
  { field: 'station', takes: ['a', '0-9', 'x'.repeat(48)], refuses: ['', 'x'.repeat(49), 'A', 'a b', 'a/b', 'ä'] },
  { field: 'dataDir', takes: ['.', '/var/lib/yizhan'], refuses: ['', 5] },
  { field: 'capacity', takes: [1, 10_000], refuses: [0, 10_001, 1.5, null] },
  {
    field: 'cloud.url',
    takes: ['mqtt://a', 'mqtts://cloud.example:8883', 'mqtt://[::1]:1883'],
    refuses: ['cloud.example', 'ws://a', 'mqtt://', 'mqtt://a/b', 'mqtt://a:99999', 'mqtt://me:secret@a'],
  },
  { field: 'cloud.keepaliveS', takes: [5, 3600], refuses: [4, 3601, 5.5] },
  { field: 'cloud.mqttVersion', takes: ['3.1.1', '5'], refuses: [5, '3.1'] },
  { field: 'reportIntervalS', takes: [5, 600], refuses: [4, 601] },
  { field: 'maxSensors', takes: [1, 256], refuses: [0, 257] },
  { field: 'sensors', takes: [], refuses: [[], 'board', null] },
  {
    field: 'sensors.0.port',
    takes: ['/dev/ttyS0', 'tcp://10.0.0.7:8899', 'tcp://[::1]:1'],
    refuses: ['ttyS0', 'tcp://a', 'tcp://a:0', 'tcp://a:65536'],
  },
  { field: 'sensors.0.baud', takes: [300, 4_000_000], refuses: [299, 4_000_001] },
  { field: 'sensors.0.dataBits', takes: [5, 6, 7, 8], refuses: [4, 9, '8'] },
  { field: 'sensors.0.stopBits', takes: [1, 1.5, 2], refuses: [0, 3] },
  { field: 'sensors.0.parity', takes: ['none', 'even', 'odd', 'mark', 'space'], refuses: ['None', ''] },
  { field: 'sensors.0.name', takes: ['a', 'x'.repeat(24)], refuses: ['', 'x'.repeat(25), 'A'] },
  { field: 'sensors.0.ignore', takes: [[], ['door']], refuses: ['door', [''], Array(65).fill('door')] },
  { field: 'water.hotMinC', takes: [30, 100], refuses: [29, 101] },
  { field: 'water.coldMaxC', takes: [0, 40], refuses: [-1, 41] },
  { field: 'water.hysteresisC', takes: [0, 30], refuses: [-1, 31] },
  { field: 'water.minTankPct', takes: [0, 50], refuses: [-1, 51] },
  { field: 'port.idleMw', takes: [1, 999], refuses: [0, 1000] },
  { field: 'port.overloadMw', takes: [2001], refuses: [2000] },
  { field: 'port.fullAfterS', takes: [0, 3600], refuses: [-1, 3601] },
  { field: 'health.flapMax', takes: [2, 1000], refuses: [1, 1001] },
  { field: 'outbox.maxRows', takes: [100], refuses: [99, 100.5] },
  { field: 'outbox.maxBytes', takes: [262_144], refuses: [262_143] },
  { field: 'outbox.ballastBytes', takes: [0], refuses: [-1] },
  { field: 'outbox.keepAckedDays', takes: [0, 3650], refuses: [-1, 3651] },
  { field: 'outbox.transitionCommitMs', takes: [0, 1000], refuses: [-1, 1001] },
  { field: 'outbox.measurementCommitMs', takes: [0, 60_000], refuses: [-1, 60_001] },
  { field: 'outbox.maxPending', takes: [100], refuses: [99] },
  { field: 'outbox.checkInlineMaxBytes', takes: [0], refuses: [-1] },
  { field: 'link.windowBatches', takes: [1, 64], refuses: [0, 65] },
  { field: 'link.maxBatchesPerS', takes: [0, 0.5], refuses: [-1] },
  { field: 'clock.trust', takes: ['auto', 'system', 'cloud'], refuses: ['ntp'] },
  { field: 'clock.maxUncertaintyMs', takes: [1], refuses: [0] },
  { field: 'clock.toleranceMs', takes: [1], refuses: [0] },
  { field: 'schedule.timeZone', takes: ['UTC', 'Asia/Urumqi'], refuses: ['Mars/Olympus', ''] },
  // With seconds in front a job would never run: its second is not looked at.
  {
    field: 'schedule.quietHour',
    takes: ['0 4 * * *', '*/5 0-3 1,15 * 1-5'],
    refuses: ['4:00', '61 4 * * *', '30 0 4 * * *', ''],
  },
  // Minutes that nobody looked at are caught up with for five minutes alone.
  { field: 'schedule.lookS', takes: [0.001, 60], refuses: [0, 61] },
  { field: 'logLevel', takes: ['trace', 'fatal'], refuses: ['silent', 'INFO'] },
  ...[
    'measureEveryS',
    'tickS',
    'housekeepingS',
    'door.heldOpenS',
    'people.quietIdleS',
    'link.noProgressS',
    'link.stableS',
    'sensors.0.silentAfterS',
  ].map(seconds),
];

/** The smallest configuration with one field changed. */
function withField(field: string, value: unknown): object {
  const config: Record<string, unknown> = structuredClone(smallest);
  const parts = field.split('.');
  const last = parts.pop() ?? '';
  let at = config;
  for (const part of parts) {
    at[part] ??= {};
    at = at[part] as Record<string, unknown>;
  }
  at[last] = value;
  return config;
}

function problems(config: object): readonly string[] {
  try {
    loadConfig(stationYaml(config));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
}

test.each(bounds)('$field takes $takes and refuses $refuses', ({ field, takes, refuses }) => {
  for (const value of takes)
    expect({ value, problems: problems(withField(field, value)) }).toEqual({ value, problems: [] });
  for (const value of refuses)
    expect({ value, found: problems(withField(field, value)).length > 0 }).toEqual({ value, found: true });
});
