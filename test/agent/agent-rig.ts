import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { AgentIo } from '../../agent/agent-io.ts';
import { type AgentConfig, agentConfig } from '../../agent/config.ts';
import { type Disk, nodeDisk } from '../../agent/outbox/disk.ts';
import type { DriverEvent } from '../../agent/sensors/driver.ts';
import { LinkError } from '../../protocol/host/session.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../support/log.ts';
import { tempDir } from '../support/temp-dir.ts';
import { inspect, newId, startMs } from './outbox/rig.ts';
import { smallest } from './station-yaml.ts';

/** The disk under an agent, with a switch for each way in which a card dies. */
export type DyingDisk = Disk & {
  /** No file can be opened. */
  gone: boolean;
  /** Every commit fails from now on; files that are opened later work. */
  breakOpenFiles: () => void;
  /** While `full` says so no commit finds room. */
  fillOpenFiles: (full: () => boolean) => void;
  /** Databases that were opened and not closed. */
  openFiles: () => number;
};

export function dyingDisk(): DyingDisk {
  const opened: Database.Database[] = [];
  const disk: DyingDisk = {
    ...nodeDisk,
    gone: false,
    open(path) {
      if (disk.gone) throw new Database.SqliteError('unable to open database file', 'SQLITE_CANTOPEN');
      const db = nodeDisk.open(path);
      opened.push(db);
      return db;
    },
    breakOpenFiles() {
      for (const db of opened)
        db.transaction = () => {
          throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_WRITE');
        };
    },
    fillOpenFiles(full) {
      for (const db of opened) {
        const transaction = db.transaction.bind(db);
        db.transaction = ((work: () => unknown) => {
          if (full()) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
          return transaction(work);
        }) as typeof db.transaction;
      }
    },
    openFiles: () => opened.filter((db) => db.open).length,
  };
  return disk;
}

export type AgentRig = {
  io: AgentIo;
  clock: FakeClock;
  disk: DyingDisk;
  lines: LogLine[];
  /** What a driver hears. */
  hear: (event: DriverEvent) => void;
  config: (change?: object) => AgentConfig;
  dataDir: string;
};

/** Everything that an agent touches of the world: real files, a clock that stands still, drivers and a network by hand. */
export function agentRig(change: Partial<AgentIo> = {}): AgentRig {
  const dataDir = tempDir();
  const clock = new FakeClock(startMs);
  const { log, lines } = memoryLog();
  const disk = dyingDisk();
  let emit: (source: string, event: DriverEvent) => void = () => {};
  let tokens = 0;
  const io: AgentIo = {
    clock,
    random: () => 0,
    newId,
    newToken: () => `token-${++tokens}`,
    boot: 'boot-1',
    log,
    disk,
    openSession: () => Promise.reject(new LinkError('no network')),
    openWire: () => Promise.reject(new Error('no wire')),
    turn: () => setImmediate(),
    startDrivers(_drivers, driversIo) {
      emit = driversIo.emit;
      return [];
    },
    bytesWritten: () => 0,
    ntpSynchronised: () => false,
    committed: () => {},
    ...change,
  };
  return {
    io,
    clock,
    disk,
    lines,
    hear: (event) => emit('board-1', event),
    config: (fields = {}) => agentConfig({ ...smallest, ...fields, dataDir }, '/etc/yizhan/station.yaml'),
    dataDir,
  };
}

/** Zeroes a page in the middle of the file, where events lie. */
export function damagePage(dataDir: string): void {
  const path = join(dataDir, 'outbox.db');
  const bytes = readFileSync(path);
  const page = Math.floor(bytes.length / 4096 / 2);
  writeFileSync(path, bytes.fill(0, page * 4096, (page + 1) * 4096));
}

/** Every event in the file, epoch by epoch, without its sums and times. */
export function storedEvents(dataDir: string): Record<string, unknown>[] {
  return inspect<{ body: string }>(dataDir, 'SELECT body FROM event ORDER BY epoch, seq').map(({ body }) =>
    JSON.parse(body),
  );
}

/** What the agent said of itself: `started start`, `storage-alarm full`, … */
export function agentWords(dataDir: string): string[] {
  return storedEvents(dataDir)
    .filter(({ kind }) => kind === 'agent')
    .map(({ what, detail }) => {
      const { why, reason, alarm } = (detail ?? {}) as Record<string, unknown>;
      return [what, why ?? reason ?? alarm].filter(Boolean).join(' ');
    });
}
