import { createHash } from 'node:crypto';
import { helloMaxEpochs } from '../protocol/messages.ts';
import type { AgentConfig } from './config.ts';
import type { StationConfig } from './core/station-core.ts';
import type { LinkConfig } from './link/link.ts';
import type { WriterConfig } from './outbox/writer.ts';
import type { TrustedClockConfig } from './trusted-clock.ts';

const dayMs = 86_400_000;

/** The configuration as the core's machines take it: milliseconds, nothing that they do not use. */
export function stationSettings(config: AgentConfig): StationConfig {
  const measureEveryMs = config.measureEveryS * 1000;
  const { door, people, water, port, health } = config;
  return {
    door: { heldOpenMs: door.heldOpenS * 1000 },
    people: {
      emptyAfterMs: people.emptyAfterS * 1000,
      doorShutEmptyMs: people.doorShutEmptyS * 1000,
      quietIdleMs: people.quietIdleS * 1000,
    },
    water: { ...water, measureEveryMs },
    port: {
      chargingMw: port.chargingMw,
      fullMw: port.fullMw,
      idleMw: port.idleMw,
      overloadMw: port.overloadMw,
      chargingAfterMs: port.chargingAfterS * 1000,
      fullAfterMs: port.fullAfterS * 1000,
      freeAfterMs: port.freeAfterS * 1000,
      measureEveryMs,
    },
    env: { measureEveryMs },
    health: { flapMax: health.flapMax, flapWindowMs: health.flapWindowS * 1000, calmMs: health.calmS * 1000 },
    maxSensors: config.maxSensors,
    boardSettleMs: health.boardSettleS * 1000,
  };
}

/** While the disk is full measurements are not said; what they count is kept for later (rule 11). */
export function withoutMeasurements(settings: StationConfig): StationConfig {
  const measureEveryMs = Number.POSITIVE_INFINITY;
  return {
    ...settings,
    water: { ...settings.water, measureEveryMs },
    port: { ...settings.port, measureEveryMs },
    env: { measureEveryMs },
  };
}

export function clockSettings(config: AgentConfig): TrustedClockConfig {
  const { trust, maxUncertaintyMs, toleranceMs } = config.clock;
  return { trust, maxUncertaintyMs, toleranceMs, preferSystemMs: 300_000 };
}

export function writerSettings({ outbox }: AgentConfig): WriterConfig {
  const { maxRows, maxBytes, transitionCommitMs, measurementCommitMs, maxPending, ballastBytes } = outbox;
  return { maxRows, maxBytes, transitionCommitMs, measurementCommitMs, maxPending, ballastBytes };
}

export function linkSettings(config: AgentConfig, agentVersion: string): LinkConfig {
  const { link, cloud } = config;
  return {
    station: config.station,
    url: cloud.url,
    username: cloud.username,
    password: cloud.password,
    mqttVersion: cloud.mqttVersion,
    keepaliveS: cloud.keepaliveS,
    ca: cloud.ca,
    reportIntervalMs: config.reportIntervalS * 1000,
    keepAckedMs: config.outbox.keepAckedDays * dayMs,
    windowBatches: link.windowBatches,
    noProgressMs: link.noProgressS * 1000,
    rehelloMs: link.rehelloS * 1000,
    welcomeTimeoutMs: link.welcomeTimeoutS * 1000,
    maxBatchesPerS: link.maxBatchesPerS === 0 ? Number.POSITIVE_INFINITY : link.maxBatchesPerS,
    helloMaxEpochs,
    backoff: { firstMs: link.backoffFirstS * 1000, maxMs: link.backoffMaxS * 1000, stableMs: link.stableS * 1000 },
    agentVersion,
    configHash: configHash(config),
  };
}

/** Tells two configurations apart without telling what is in them. */
function configHash(config: AgentConfig): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
}
