-- An outbox as version 1 of its schema wrote it. A released schema never changes: nor does this file.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE boot (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  first_mono_ms INTEGER, last_mono_ms INTEGER, lower_ms INTEGER, upper_ms INTEGER
) STRICT;
CREATE TABLE epoch (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  boot INTEGER NOT NULL, acked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE anchor (
  n INTEGER PRIMARY KEY, boot INTEGER NOT NULL,
  mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL, source TEXT NOT NULL
) STRICT;
CREATE TABLE event (
  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, transition INTEGER NOT NULL,
  mono_ms INTEGER NOT NULL, anchor INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE gap (
  epoch INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL,
  mono_ms INTEGER NOT NULL, anchor INTEGER, reason TEXT NOT NULL, lost TEXT NOT NULL,
  PRIMARY KEY (epoch, from_seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoint (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE command (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL, reply TEXT) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('instance', '5f0c8a4be1d94c0e9a7712d3c4b5a697');
INSERT INTO boot (n, id) VALUES (1, 'boot-1');
INSERT INTO epoch (n, id, boot, acked) VALUES (7, '0e6ba4c2d18f4f7fa3b0c9d8e7f60512', 1, 1);
INSERT INTO anchor VALUES (1, 1, 1000, 1795399200000, 'cloud');
INSERT INTO event VALUES (7, 1, 1, 500, NULL, '{"kind":"agent","sensor":"agent","what":"started"}');
INSERT INTO gap VALUES (7, 2, 3, 1500, 1, 'thinned', '{"water":{"ml":250}}');
INSERT INTO event VALUES (7, 4, 1, 2000, 1, '{"kind":"door","sensor":"door","open":true}');
INSERT INTO checkpoint VALUES ('people', '{"inside":2,"basis":"counted","counters":{}}');
INSERT INTO command VALUES ('c1', 1795399300000, '{"id":"c1","ok":true,"result":null}');
PRAGMA user_version = 1;
