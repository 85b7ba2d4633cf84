import type { HelloEpoch } from '../../protocol/messages.ts';
import {
  type DeliveryConfig,
  type DeliveryState,
  type DeliveryStep,
  jittered,
  type Phase,
  quiet,
  type Tick,
} from './delivery-state.ts';

/** Forgets the session: acks of the old one no longer count (rule 3). */
export function greet(state: DeliveryState, tick: Tick, config: DeliveryConfig): DeliveryStep {
  const asked = helloEpochs(state, config);
  const phase: Phase = {
    kind: 'greeting',
    nonce: tick.nonce,
    askedMs: tick.nowMs,
    deadlineMs: tick.nowMs + jittered(config.welcomeTimeoutMs, tick),
    asked: asked.map((epoch) => epoch.id),
  };
  return {
    state: { ...state, phase, inFlight: [], reading: null },
    effects: [{ type: 'hello', nonce: tick.nonce, epochs: asked }],
  };
}

/** Those not told about yet, oldest first, and always the current one, last. */
function helloEpochs(state: DeliveryState, config: DeliveryConfig): HelloEpoch[] {
  const current = state.epochs.at(-1);
  const older = state.epochs.slice(0, -1);
  const untold = older.filter((epoch) => !epoch.told);
  const rest = older.filter((epoch) => epoch.told && epoch.acked < epoch.last);
  const room = config.helloMaxEpochs - 1;
  const chosen = new Set([...untold, ...rest].slice(0, room).map((epoch) => epoch.id));
  const said = [...older.filter((epoch) => chosen.has(epoch.id)), ...(current ? [current] : [])];
  return said.map(({ id, oldest, last, acked }) => ({ id, oldest, last, acked }));
}

/** Asks for the next batch where the window, the rate and the clock allow one. */
export function pump(state: DeliveryState, tick: Tick, config: DeliveryConfig): DeliveryStep {
  const refilled = refill(state, tick.nowMs, config);
  if (refilled.phase.kind !== 'streaming' || refilled.reading !== null) return quiet(refilled);
  const next = refilled.epochs.find((epoch) => epoch.told && epoch.sent < epoch.last);
  if (!next) return moreToTell(refilled) ? greet(refilled, tick, config) : quiet(refilled);
  if (!refilled.clockSet || refilled.inFlight.length >= config.windowBatches || refilled.credit < 1)
    return quiet(refilled);
  const effect = { type: 'send' as const, session: refilled.phase.session, epoch: next.id, first: next.sent + 1 };
  return { state: { ...refilled, reading: { epoch: next.id, first: effect.first } }, effects: [effect] };
}

/** When `tick` is due next; infinite where nothing waits for time. */
export function nextTickMs(state: DeliveryState, config: DeliveryConfig): number {
  if (state.phase.kind === 'offline') return Number.POSITIVE_INFINITY;
  if (state.phase.kind === 'greeting') return state.phase.deadlineMs;
  const retryMs = state.inFlight.length > 0 ? state.retryAtMs : Number.POSITIVE_INFINITY;
  const creditMs =
    hasWork(state, config) && state.credit < 1
      ? state.creditAtMs + ((1 - state.credit) * 1000) / config.maxBatchesPerS
      : Number.POSITIVE_INFINITY;
  return Math.min(retryMs, creditMs, state.rehelloAtMs);
}

/** More epochs than fit into one hello: the next ones follow when these are done. */
function moreToTell(state: DeliveryState): boolean {
  return state.inFlight.length === 0 && state.epochs.some((epoch) => !epoch.told);
}

function hasWork(state: DeliveryState, config: DeliveryConfig): boolean {
  return (
    state.clockSet &&
    state.reading === null &&
    state.inFlight.length < config.windowBatches &&
    state.epochs.some((epoch) => epoch.told && epoch.sent < epoch.last)
  );
}

function refill(state: DeliveryState, nowMs: number, config: DeliveryConfig): DeliveryState {
  if (!Number.isFinite(config.maxBatchesPerS)) return { ...state, credit: config.windowBatches, creditAtMs: nowMs };
  const gained = (Math.max(0, nowMs - state.creditAtMs) / 1000) * config.maxBatchesPerS;
  return { ...state, credit: Math.min(config.windowBatches, state.credit + gained), creditAtMs: nowMs };
}
