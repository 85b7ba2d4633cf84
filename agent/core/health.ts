import type { SensorHealth } from '../../protocol/events.ts';

export type HealthConfig = {
  /** More turns than this within `flapWindowMs` are noise, not people. */
  flapMax: number;
  flapWindowMs: number;
  /** A sensor that flapped is believed again after it kept still for this long. */
  calmMs: number;
};

/** How far one sensor can be believed. `unknown` until its first word. */
export type Health = {
  word: SensorHealth | 'unknown';
  reason: string;
  /** Monotonic time of the last good word, or of the start. */
  heardMs: number;
  /** Monotonic times of the last turns, oldest first, at most `flapMax + 1`. */
  turnsMs: readonly number[];
  /** Since when a sensor that flapped keeps still; null where it does not flap. */
  stillSinceMs: number | null;
};

export type HealthStep = { health: Health; changed: boolean };

export function startHealth(nowMs: number): Health {
  return { word: 'unknown', reason: 'not heard yet', heardMs: nowMs, turnsMs: [], stillSinceMs: null };
}

/** A good word of the sensor. `faultReason` is what it says of itself; null for well. */
export function heard(health: Health, nowMs: number, faultReason: string | null, config: HealthConfig): HealthStep {
  const base = { ...health, heardMs: nowMs };
  if (health.stillSinceMs !== null && nowMs - health.stillSinceMs < config.calmMs)
    return { health: base, changed: false };
  const calm = { ...base, stillSinceMs: null };
  return faultReason === null ? become(calm, 'ok', '') : become(calm, 'fault', faultReason);
}

/** The sensor's value turned; too many turns in a short time are noise. */
export function turned(health: Health, nowMs: number, config: HealthConfig): HealthStep {
  const turnsMs = [...health.turnsMs, nowMs].slice(-(config.flapMax + 1));
  const next = { ...health, turnsMs };
  const oldest = turnsMs[0] ?? nowMs;
  if (turnsMs.length <= config.flapMax || nowMs - oldest > config.flapWindowMs) return { health: next, changed: false };
  const reason = `turned ${turnsMs.length} times in ${Math.ceil((nowMs - oldest) / 1000)} s`;
  return become({ ...next, stillSinceMs: nowMs }, 'noisy', reason);
}

/** What is not believed for its flapping turned again: it has to keep still from now on. */
export function stirred(health: Health, nowMs: number): Health {
  return health.stillSinceMs === null ? health : { ...health, stillSinceMs: nowMs };
}

/** No good word for too long: noise where bytes came all the same, else silence. */
export function overdue(health: Health, nowMs: number, silentAfterMs: number, rejectedSince: number): HealthStep {
  const quietMs = nowMs - health.heardMs;
  if (quietMs < silentAfterMs) return { health, changed: false };
  const seconds = Math.round(silentAfterMs / 1000);
  if (rejectedSince > 0) return become(health, 'noisy', `no good word for ${seconds} s while bytes came`);
  return become(health, 'silent', `no word for ${seconds} s`);
}

/** Its gateway says that the sensor is gone. */
export function reportedGone(health: Health, reason: string): HealthStep {
  return become(health, 'silent', reason);
}

/** Whether what the sensor says is taken into the state. */
export function believed(health: Health): boolean {
  return health.word === 'ok' || health.word === 'fault';
}

function become(health: Health, word: SensorHealth, reason: string): HealthStep {
  if (health.word === word && health.reason === reason) return { health, changed: false };
  return { health: { ...health, word, reason }, changed: health.word !== word || word === 'fault' };
}
