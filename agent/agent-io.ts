import type { Clock } from '../protocol/host/clock.ts';
import type { Logger } from '../protocol/host/log.ts';
import type { OpenSession } from '../protocol/host/session.ts';
import type { AgentConfig } from './config.ts';
import type { Disk } from './outbox/disk.ts';
import type { Commit } from './outbox/writer.ts';
import type { OpenWire } from './sensors/board/address.ts';
import type { Driver } from './sensors/driver.ts';
import type { DriversIo } from './sensors/start-drivers.ts';

/** Everything that the agent touches of the world. */
export type AgentIo = {
  clock: Clock;
  random: () => number;
  /** 128 random bits as 32 hex digits. */
  newId: () => string;
  /** A short random token. */
  newToken: () => string;
  /** Id of this boot of the machine. */
  boot: string;
  log: Logger;
  disk: Disk;
  openSession: OpenSession;
  openWire: OpenWire;
  /** Resolves after the input that is ready now was taken. */
  turn: () => Promise<void>;
  startDrivers: (drivers: AgentConfig['sensors'], io: DriversIo) => Driver[];
  /** Bytes that this process caused to be written to storage so far; null where not told. */
  bytesWritten: () => number | null;
  ntpSynchronised: (markerPath: string) => boolean;
  /** Hears of every commit at once: what was accepted, for whoever holds the cloud to it. */
  committed: (commit: Commit) => void;
};
