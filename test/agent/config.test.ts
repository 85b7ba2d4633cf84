import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type AgentConfig, loadConfig } from '../../agent/config.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { tempDir } from '../support/temp-dir.ts';
import { smallest, stationYaml } from './station-yaml.ts';

const load = (content: string | object): AgentConfig => loadConfig(stationYaml(content));

function issues(content: string | object): readonly string[] {
  try {
    load(content);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
}

const withCloud = (cloud: object) => ({ ...smallest, cloud: { ...smallest.cloud, ...cloud } });
const withBoard = (board: object) => ({ ...smallest, sensors: [{ ...smallest.sensors[0], ...board }] });
const zigbee = (fields: object = {}) => ({
  driver: 'zigbee2mqtt',
  broker: 'mqtt://127.0.0.1:1884',
  devices: { 'back-door': 'door-2' },
  ...fields,
});

test('the station.yaml of the README is a configuration', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
  const password = join(tempDir(), 'password');
  writeFileSync(password, 'hunter2\n');
  const config = load(yaml.replace('/etc/yizhan/password', password));
  expect(config).toMatchObject({ station: 'tunxi-laojie', dataDir: '/var/lib/yizhan', capacity: 12 });
  expect(config.sensors.map(({ name, driver }) => [name, driver])).toEqual([
    ['board-1', 'board'],
    ['zigbee2mqtt-1', 'zigbee2mqtt'],
    ['tasmota-1', 'tasmota'],
  ]);
});

test('what is not said has the defaults of the README', () => {
  const path = stationYaml({
    ...smallest,
    sensors: [...smallest.sensors, zigbee(), { ...zigbee(), driver: 'tasmota', devices: { p: 'port-1' } }],
  });
  expect(loadConfig(path)).toEqual({
    station: 'tunxi-laojie',
    dataDir: join(dirname(path), 'data'),
    cloud: {
      url: 'mqtt://127.0.0.1:1',
      username: 'tunxi-laojie',
      password: 'hunter2',
      mqttVersion: '3.1.1',
      keepaliveS: 30,
      ca: undefined,
    },
    reportIntervalS: 30,
    measureEveryS: 300,
    tickS: 1,
    housekeepingS: 30,
    maxSensors: 64,
    sensors: [
      {
        name: 'board-1',
        driver: 'board',
        port: 'tcp://127.0.0.1:1',
        baud: 115_200,
        dataBits: 8,
        parity: 'none',
        stopBits: 1,
        rename: {},
        ignore: [],
        expect: [],
        silentAfterS: 15,
        readSilenceS: 10,
      },
      { ...zigbee(), name: 'zigbee2mqtt-1', base: 'zigbee2mqtt', pollS: 30, silentAfterS: 90_000 },
      { ...zigbee(), driver: 'tasmota', devices: { p: 'port-1' }, name: 'tasmota-1', pollS: 30, silentAfterS: 100 },
    ],
    door: { heldOpenS: 300 },
    people: { emptyAfterS: 600, doorShutEmptyS: 14_400, quietIdleS: 1800 },
    water: { hotMinC: 75, coldMaxC: 20, hysteresisC: 10, minTankPct: 5 },
    port: {
      chargingMw: 2000,
      fullMw: 1000,
      idleMw: 150,
      overloadMw: 3_500_000,
      chargingAfterS: 3,
      fullAfterS: 60,
      freeAfterS: 5,
    },
    health: { flapMax: 20, flapWindowS: 10, calmS: 30, boardSettleS: 10 },
    outbox: {
      maxRows: 1_000_000,
      maxBytes: 268_435_456,
      ballastBytes: 4_194_304,
      keepAckedDays: 7,
      transitionCommitMs: 50,
      measurementCommitMs: 2000,
      maxPending: 20_000,
      checkInlineMaxBytes: 33_554_432,
    },
    link: {
      windowBatches: 4,
      noProgressS: 20,
      welcomeTimeoutS: 20,
      rehelloS: 300,
      maxBatchesPerS: 50,
      backoffFirstS: 1,
      backoffMaxS: 120,
      stableS: 30,
    },
    clock: {
      trust: 'auto',
      ntpMarker: '/run/systemd/timesync/synchronized',
      maxUncertaintyMs: 2000,
      toleranceMs: 1000,
    },
    schedule: {
      timeZone: 'Asia/Shanghai',
      quietHour: '0 4 * * *',
      maintenance: '30 3 * * *',
      selfReport: '0 6 * * *',
      lookS: 20,
    },
    logLevel: 'info',
  });
});

test('every wrong field is listed at once, with its path, what was expected and what was found', () => {
  expect(
    issues({
      station: 'Tunxi Laojie',
      cloud: { url: 'http://x', username: '', password: 5, keepaliveS: 4, mqttVersion: '4' },
      capacity: 0,
      reportIntervalS: '30',
      sensors: [{ driver: 'board', port: 'COM3', baud: 100 }, { driver: 'modbus' }, zigbee({ devices: {} })],
      water: { hotMinC: 300, coldMaxx: 3 },
      port: { fullMw: 100 },
      logLevel: 'loud',
      speed: 9,
    }),
  ).toEqual([
    'station: expected 1 to 48 of a-z 0-9 -, found "Tunxi Laojie"',
    'dataDir: expected string, found nothing',
    'capacity: expected number to be >=1, found 0',
    'cloud.url: expected mqtt://host[:port] or mqtts://host[:port], found "http://x"',
    'cloud.username: expected string to have >=1 characters, found ""',
    'cloud.password: expected string, found a number (not shown)',
    'cloud.mqttVersion: expected one of "5"|"3.1.1", found "4"',
    'cloud.keepaliveS: expected number to be >=5, found 4',
    'reportIntervalS: expected number, found "30"',
    'sensors[0].port: expected a tty path such as /dev/ttyS3, or tcp://host:port, found "COM3"',
    'sensors[0].baud: expected number to be >=300, found 100',
    expect.stringMatching(/^sensors\[1\]\.driver: expected .*board.*zigbee2mqtt.*tasmota.*, found "modbus"$/),
    'sensors[2].devices: expected at least one device, found {}',
    'water.hotMinC: expected number to be <=100, found 300',
    'water.coldMaxx: not a known field',
    expect.stringMatching(/^port: expected idleMw < fullMw < chargingMw < overloadMw, found /),
    expect.stringMatching(/^logLevel: expected one of .*, found "loud"$/),
    'speed: not a known field',
  ]);
});

test.each([
  { what: 'neither password nor passwordFile', cloud: { password: undefined } },
  { what: 'both', cloud: { passwordFile: 'password' } },
])('$what is one problem', ({ cloud }) => {
  expect(issues(withCloud(cloud))).toEqual(['cloud: expected one of password and passwordFile']);
});

test('a password and authorities are read from files, found from the configuration’s own folder', () => {
  const path = stationYaml(withCloud({ password: undefined, passwordFile: 'secret/password', caFile: 'ca.pem' }));
  stationYaml('  hunter2 of the file\n', join(dirname(path), 'secret/password'));
  stationYaml('-----BEGIN CERTIFICATE-----\n', join(dirname(path), 'ca.pem'));
  expect(loadConfig(path).cloud).toEqual({
    url: 'mqtt://127.0.0.1:1',
    username: 'tunxi-laojie',
    password: 'hunter2 of the file',
    mqttVersion: '3.1.1',
    keepaliveS: 30,
    ca: '-----BEGIN CERTIFICATE-----\n',
  });
});

test('files that cannot be read, or hold nothing, are all listed', () => {
  const path = stationYaml(withCloud({ password: undefined, passwordFile: 'nothing', caFile: 'nowhere.pem' }));
  expect(() => loadConfig(path)).toThrow(
    expect.objectContaining({
      issues: [
        expect.stringMatching(/^cloud\.passwordFile: .*\/nothing cannot be read: ENOENT/),
        expect.stringMatching(/^cloud\.caFile: .*\/nowhere\.pem cannot be read: ENOENT/),
      ],
    }),
  );
  stationYaml(' \n', join(dirname(path), 'nothing'));
  stationYaml('', join(dirname(path), 'nowhere.pem'));
  const file = (name: string): string => join(dirname(path), name);
  expect(() => loadConfig(path)).toThrow(
    expect.objectContaining({
      issues: [`cloud.passwordFile: ${file('nothing')} is empty`, `cloud.caFile: ${file('nowhere.pem')} is empty`],
    }),
  );
});

test.each<{ what: string; sensors: object[]; found: string[] }>([
  {
    what: 'two drivers of one name',
    sensors: [{ ...smallest.sensors[0], name: 'a' }, zigbee({ name: 'a' })],
    found: ['sensors[1].name: a is the name of another driver'],
  },
  {
    what: 'a name that another driver has by default',
    sensors: [{ ...smallest.sensors[0] }, zigbee({ name: 'board-1' })],
    found: ['sensors[1].name: board-1 is the name of another driver'],
  },
  {
    what: 'one sensor from two devices of a gateway',
    sensors: [zigbee({ devices: { a: 'door-2', b: 'door-2' } })],
    found: ['sensors[0]: door-2 is mapped already by sensors[0]'],
  },
  {
    what: 'one sensor from two drivers',
    sensors: [{ ...smallest.sensors[0], expect: ['door-2'] }, zigbee(), zigbee()],
    found: ['sensors[1]: door-2 is mapped already by sensors[0]', 'sensors[2]: door-2 is mapped already by sensors[1]'],
  },
  {
    what: 'two sensors of a board under one name: their counters would be one',
    sensors: [{ ...smallest.sensors[0], rename: { 'people-1': 'people', 'people-2': 'people' } }],
    found: ['sensors[0].rename: people is the name of two sensors'],
  },
])('$what is listed', ({ sensors, found }) => {
  expect(issues({ ...smallest, sensors })).toEqual(found);
});

test.each([
  withBoard({ expect: ['frontdoor', 'ports-1', 'board'] }),
  withBoard({ rename: { a: 'frontdoor', b: 'ports-1', c: 'board' } }),
  { ...smallest, sensors: [zigbee({ devices: { a: 'frontdoor', b: 'ports-1', c: 'board' } })] },
])('a sensor whose name says no kind would never be heard: it is listed (%#)', (content) => {
  expect(issues(content)).toEqual(
    ['frontdoor', 'ports-1', 'board'].map((name) =>
      expect.stringMatching(
        new RegExp(`: expected a name that begins with door, people, water, port, env or button, found "${name}"$`),
      ),
    ),
  );
});
