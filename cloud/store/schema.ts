import type Database from 'better-sqlite3';

/** Numbered migrations; `user_version` counts those that ran. A released one is never edited. */
const migrations: readonly string[] = [
  `
  CREATE TABLE station (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    -- The register's entry as JSON: no query looks into it, the feed keeps it in memory.
    record TEXT NOT NULL, removed_ms INTEGER,
    salt TEXT, hash TEXT
  ) STRICT;

  -- AUTOINCREMENT: n is the order in which epochs were first seen, and is never given twice.
  CREATE TABLE epoch (
    n INTEGER PRIMARY KEY AUTOINCREMENT, station INTEGER NOT NULL, id TEXT NOT NULL, instance TEXT,
    up_to INTEGER NOT NULL DEFAULT 0, max_seen INTEGER NOT NULL DEFAULT 0,
    -- The highest sequence that the station ever said it has: what is missing when it never comes.
    known_last INTEGER NOT NULL DEFAULT 0,
    UNIQUE (station, id)
  ) STRICT;

  -- Clustered by its key: a duplicate is found where its neighbours are read anyway.
  CREATE TABLE event (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE gap (
    epoch INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
    at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (epoch, from_seq, to_seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE quarantine (
    n INTEGER PRIMARY KEY, station INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, reason TEXT NOT NULL, bytes TEXT NOT NULL
  ) STRICT;
  CREATE INDEX quarantine_station ON quarantine (station);

  CREATE TABLE rollup (
    station INTEGER NOT NULL, hour INTEGER NOT NULL,
    visits INTEGER NOT NULL, leaves INTEGER NOT NULL, door_opens INTEGER NOT NULL,
    ml INTEGER NOT NULL, mwh INTEGER NOT NULL, presses INTEGER NOT NULL,
    inside_ms INTEGER NOT NULL, people_ms INTEGER NOT NULL, inside_peak INTEGER NOT NULL,
    charging_ms INTEGER NOT NULL, port_ms INTEGER NOT NULL, water_ms INTEGER NOT NULL,
    PRIMARY KEY (station, hour)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE standing (
    epoch INTEGER NOT NULL, sensor TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (epoch, sensor)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE live (
    station INTEGER PRIMARY KEY, epoch_order INTEGER NOT NULL, reported_ms INTEGER NOT NULL, beat_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL, used_ms INTEGER, used_before_ms INTEGER, online INTEGER NOT NULL,
    approved TEXT, heard_ms INTEGER NOT NULL, state TEXT NOT NULL
  ) STRICT;

  CREATE TABLE alarm (
    station INTEGER NOT NULL, kind TEXT NOT NULL, since_ms INTEGER NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY (station, kind)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE command (
    id TEXT PRIMARY KEY, station INTEGER NOT NULL, name TEXT NOT NULL, args TEXT NOT NULL,
    expires_ms INTEGER NOT NULL, reply TEXT
  ) STRICT, WITHOUT ROWID;
  `,
];

/** @throws Error where the file was written by a newer version than this one */
export function migrate(db: Database.Database): void {
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found > migrations.length)
    throw new Error(`store schema ${found} is newer than this program's ${migrations.length}`);
  for (let version = found; version < migrations.length; version++) {
    db.transaction(() => {
      db.exec(migrations[version] ?? '');
      db.pragma(`user_version = ${version + 1}`);
    })();
  }
}
