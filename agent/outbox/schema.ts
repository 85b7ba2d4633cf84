import type Database from 'better-sqlite3';

/**
 * Numbered migrations of the outbox; `user_version` counts those that ran. A released one is never
 * edited: a board that was off for a year runs all that it missed, each in its own transaction.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- One boot of the machine. The last four columns bound a boot that never saw a clock.
  CREATE TABLE boot (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    first_mono_ms INTEGER, last_mono_ms INTEGER, lower_ms INTEGER, upper_ms INTEGER
  ) STRICT;

  -- One start of the agent process. AUTOINCREMENT: an order is never given twice.
  CREATE TABLE epoch (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    boot INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE anchor (
    n INTEGER PRIMARY KEY, boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, source TEXT NOT NULL
  ) STRICT;

  -- Clustered by (epoch, seq): appended at the end and read in order, one page after the other.
  CREATE TABLE event (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, transition INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL, anchor INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)
  ) STRICT, WITHOUT ROWID;

  -- Receipts for trimmed events, with the time of the first one and the sums that they held.
  CREATE TABLE gap (
    epoch INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL, anchor INTEGER, reason TEXT NOT NULL, lost TEXT NOT NULL,
    PRIMARY KEY (epoch, from_seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE checkpoint (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- A command's id is here before it runs, its reply after it.
  CREATE TABLE command (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL, reply TEXT) STRICT, WITHOUT ROWID;
  `,
];

export const schemaVersion = migrations.length;

/** @throws Error where the file was written by a newer version than this one */
export function migrate(db: Database.Database): void {
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found > schemaVersion) throw new Error(`outbox schema ${found} is newer than this agent's ${schemaVersion}`);
  for (let version = found; version < schemaVersion; version++) {
    db.transaction(() => {
      db.exec(migrations[version] ?? '');
      db.pragma(`user_version = ${version + 1}`);
    })();
  }
}
