import { expect, test } from 'vitest';
import { agentConfig } from '../../agent/config.ts';
import {
  clockSettings,
  linkSettings,
  stationSettings,
  withoutMeasurements,
  writerSettings,
} from '../../agent/settings.ts';
import { smallest } from './station-yaml.ts';

const config = (change: object = {}) => agentConfig({ ...smallest, ...change }, '/etc/yizhan/station.yaml');

test('the machines get milliseconds, and what the README says where nothing is said', () => {
  expect(stationSettings(config())).toMatchObject({
    door: { heldOpenMs: 300_000 },
    people: { emptyAfterMs: 600_000, doorShutEmptyMs: 14_400_000, quietIdleMs: 1_800_000 },
    water: { hotMinC: 75, coldMaxC: 20, hysteresisC: 10, minTankPct: 5, measureEveryMs: 300_000 },
    port: {
      chargingMw: 2000,
      fullMw: 1000,
      idleMw: 150,
      overloadMw: 3_500_000,
      chargingAfterMs: 3000,
      fullAfterMs: 60_000,
      freeAfterMs: 5000,
      measureEveryMs: 300_000,
    },
    env: { measureEveryMs: 300_000 },
    health: { flapMax: 20, flapWindowMs: 10_000, calmMs: 30_000 },
    maxSensors: 64,
  });
});

test('while the disk is full no measurement is due, and nothing else changes', () => {
  const settings = stationSettings(config());
  const full = withoutMeasurements(settings);
  expect([full.water, full.port, full.env].map(({ measureEveryMs }) => measureEveryMs)).toEqual([
    Infinity,
    Infinity,
    Infinity,
  ]);
  const { water, port, env } = settings;
  expect({ ...full, water, port, env }).toEqual(settings);
});

test('the link gets what its configuration says', () => {
  const link = {
    windowBatches: 2,
    noProgressS: 1,
    rehelloS: 3,
    welcomeTimeoutS: 2,
    maxBatchesPerS: 7,
    backoffFirstS: 0.5,
    backoffMaxS: 9,
    stableS: 4,
  };
  const cloud = { ...smallest.cloud, mqttVersion: '5', keepaliveS: 60 };
  expect(linkSettings(config({ link, cloud, reportIntervalS: 10, outbox: { keepAckedDays: 2 } }), '0.1.0')).toEqual({
    station: 'tunxi-laojie',
    url: 'mqtt://127.0.0.1:1',
    username: 'tunxi-laojie',
    password: 'hunter2',
    mqttVersion: '5',
    keepaliveS: 60,
    ca: undefined,
    reportIntervalMs: 10_000,
    keepAckedMs: 172_800_000,
    windowBatches: 2,
    noProgressMs: 1000,
    rehelloMs: 3000,
    welcomeTimeoutMs: 2000,
    maxBatchesPerS: 7,
    helloMaxEpochs: 64,
    backoff: { firstMs: 500, maxMs: 9000, stableMs: 4000 },
    agentVersion: '0.1.0',
    configHash: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
});

test('a rate of 0 batches a second is no bound', () => {
  expect(linkSettings(config({ link: { maxBatchesPerS: 0 } }), '0.1.0').maxBatchesPerS).toBe(Number.POSITIVE_INFINITY);
});

test('the hash of a configuration tells two apart, is the same for the same, and tells no secret', () => {
  const hash = (change: object = {}): string => linkSettings(config(change), '0.1.0').configHash;
  expect(hash()).toBe(hash());
  expect(hash({ reportIntervalS: 31 })).not.toBe(hash());
  expect(hash()).not.toContain('hunter2');
});

test('writer and clock get theirs', () => {
  expect(writerSettings(config({ outbox: { maxRows: 100, ballastBytes: 0 } }))).toEqual({
    maxRows: 100,
    maxBytes: 268_435_456,
    transitionCommitMs: 50,
    measurementCommitMs: 2000,
    maxPending: 20_000,
    ballastBytes: 0,
  });
  expect(clockSettings(config({ clock: { trust: 'cloud', toleranceMs: 5 } }))).toEqual({
    trust: 'cloud',
    maxUncertaintyMs: 2000,
    toleranceMs: 5,
    preferSystemMs: 300_000,
  });
});
