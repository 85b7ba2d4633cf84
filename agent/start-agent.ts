import { Agent } from './agent.ts';
import type { StartReason } from './agent-events.ts';
import type { AgentIo } from './agent-io.ts';
import type { AgentConfig } from './config.ts';
import { startStation } from './core/station-core.ts';
import { readMemoryRows } from './core/station-memory.ts';
import { openOutbox, type StoredOutbox } from './outbox/open-outbox.ts';
import { sourceSpecs } from './sensors/start-drivers.ts';

/**
 * Opens the station's outbox with a new epoch.
 *
 * @throws StoreError where none can be opened
 */
export function openStationOutbox(config: AgentConfig, why: StartReason, io: AgentIo): Promise<StoredOutbox> {
  const { clock, disk, boot, newId } = io;
  // After a failure nothing is taken on trust, however long the check takes.
  const checkInlineMaxBytes = why === 'storage-failed' ? Number.POSITIVE_INFINITY : config.outbox.checkInlineMaxBytes;
  return openOutbox({ disk, dataDir: config.dataDir, boot, newId, wallMs: clock.wallMs(), checkInlineMaxBytes });
}

/** Starts the drivers and the link over an open outbox; it runs until it is stopped or its storage fails. */
export async function startAgent(
  config: AgentConfig,
  why: StartReason,
  stored: StoredOutbox,
  io: AgentIo,
): Promise<Agent> {
  const rows = await stored.outbox.memory();
  const { memory, damaged } = readMemoryRows(rows);
  if (damaged.length > 0) io.log.error({ keys: damaged }, 'memory rows damaged: their counters begin again');
  const core = startStation(sourceSpecs(config.sensors), memory, io.boot, io.clock.monotonicMs());
  const agent = new Agent(config, io, stored, core, rows);
  await agent.begin(why);
  return agent;
}
