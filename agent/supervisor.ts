import { sleep } from '../protocol/host/clock.ts';
import { StoreError } from '../protocol/host/sqlite.ts';
import type { Agent } from './agent.ts';
import type { StartReason } from './agent-events.ts';
import type { AgentIo } from './agent-io.ts';
import type { AgentConfig } from './config.ts';
import { noOutbox } from './outbox/no-outbox.ts';
import type { StoredOutbox } from './outbox/open-outbox.ts';
import { openStationOutbox, startAgent } from './start-agent.ts';

/** Without storage a new attempt is made this often. */
const retryStorageMs = 30_000;
/** A file that fails again and again is not opened in a tight loop. */
const restartMs = 1000;

export type Order = { kind: 'stop'; reason: string } | { kind: 'reload'; config: AgentConfig };

/** Where the supervisor's orders come from: signals, in a real process. */
export type Orders = { next: () => Promise<Order> };

type StorageIsBack = { kind: 'storage-is-back'; stored: StoredOutbox };

/** What ends one run of an agent. */
type Outcome = Order | { kind: 'failed'; error: unknown } | StorageIsBack;

/**
 * Keeps one agent running until it is told to stop: starts it again with a new configuration, and
 * after its storage failed. While no outbox can be opened it runs the live lane alone.
 *
 * @throws StoreError where storage failed while the last stop closed it
 */
export async function superviseAgent(config: AgentConfig, orders: Orders, io: AgentIo): Promise<void> {
  let current = config;
  let why: StartReason = 'start';
  let order = orders.next();
  let stored = await open(current, why, io);
  let instance = io.newId();
  for (;;) {
    instance = stored?.outbox.instance ?? instance;
    const { outcome, agent } = await runOnce(current, why, stored, instance, order, io);
    switch (outcome.kind) {
      case 'stop': {
        const failure = await stopped(agent, outcome.reason, io);
        if (failure) throw failure;
        return;
      }
      case 'reload':
        await stopped(agent, 'reload', io);
        order = orders.next();
        current = outcome.config;
        why = 'reload';
        stored = await open(current, why, io);
        break;
      case 'failed':
        io.log.error({ err: outcome.error }, 'storage failed: opening it again');
        await agent.abandon();
        await sleep(io.clock, restartMs);
        why = 'storage-failed';
        stored = await open(current, why, io);
        break;
      case 'storage-is-back':
        io.log.info('storage is back');
        await agent.abandon();
        why = 'storage-failed';
        stored = outcome.stored;
    }
  }
}

async function runOnce(
  config: AgentConfig,
  why: StartReason,
  stored: StoredOutbox | null,
  instance: string,
  order: Promise<Order>,
  io: AgentIo,
): Promise<{ outcome: Outcome; agent: Agent }> {
  const durable = stored && (await startOver(stored, config, why, io));
  const standIn = { outbox: noOutbox({ instance, newId: io.newId }), path: config.dataDir, unchecked: false };
  const agent = durable ?? (await startAgent(config, why, standIn, io));
  const over = new AbortController();
  const failed = agent.failed.then((error): Outcome => ({ kind: 'failed', error }));
  const back = durable ? new Promise<never>(() => {}) : waitForStorage(config, io, over.signal);
  const outcome = await Promise.race<Outcome>([order, failed, back]);
  over.abort();
  // Storage that is back in the moment of another outcome is let go again.
  if (outcome.kind !== 'storage-is-back') void back.then(({ stored }) => stored.outbox.close()).catch(() => {});
  return { outcome, agent };
}

/** Null where the outbox could be opened and cannot be read. */
async function startOver(
  stored: StoredOutbox,
  config: AgentConfig,
  why: StartReason,
  io: AgentIo,
): Promise<Agent | null> {
  try {
    return await startAgent(config, why, stored, io);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    io.log.error({ err: error }, 'no outbox can be read: live lane only, no event is accepted');
    await stored.outbox.close().catch(() => {});
    return null;
  }
}

/** @returns what failed where the agent's storage did not close; all else of the agent is stopped then, too */
async function stopped(agent: Agent, reason: string, io: AgentIo): Promise<StoreError | null> {
  try {
    await agent.stop(reason);
    return null;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    io.log.error({ err: error }, 'storage failed while stopping');
    return new StoreError(`storage failed while stopping: ${error.message}`, { cause: error });
  }
}

async function waitForStorage(config: AgentConfig, io: AgentIo, signal: AbortSignal): Promise<StorageIsBack> {
  for (;;) {
    await sleep(io.clock, retryStorageMs, signal);
    if (signal.aborted) return new Promise<never>(() => {});
    const stored = await open(config, 'storage-failed', io);
    if (stored) return { kind: 'storage-is-back', stored };
  }
}

async function open(config: AgentConfig, why: StartReason, io: AgentIo): Promise<StoredOutbox | null> {
  try {
    return await openStationOutbox(config, why, io);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    io.log.error({ err: error }, 'no outbox can be opened: live lane only, no event is accepted');
    return null;
  }
}
