import { z } from 'zod';

/** Station in topics, credentials and the feed: 1–48 of `a-z0-9-`. */
export const stationIdPattern = /^[a-z0-9-]{1,48}$/;
export const stationIdSchema = z.string().regex(stationIdPattern, 'expected 1 to 48 of a-z 0-9 -');

/** Sensor of a station: 1–24 of `a-z0-9-`; its leading letters are its kind (`port-3` is a port). */
export const sensorIdSchema = z.string().regex(/^[a-z0-9-]{1,24}$/, 'expected 1 to 24 of a-z 0-9 -');

/** 128 random bits as lower-case hex: one a start of the agent process (README §3, rule 1). */
export const epochIdSchema = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 hex digits');

/** 128 random bits as lower-case hex: one an outbox database file. */
export const instanceIdSchema = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 hex digits');

/** Nonces, sessions and command ids: short opaque text. */
export const tokenSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 of A-Z a-z 0-9 _ -');

/** A sequence number within an epoch: 1, 2, … */
export const sequenceSchema = z.int().min(1);

/** What a station has been told is stored: 0 where nothing is. */
export const upToSchema = z.int().min(0);

/** Unix time, milliseconds. */
export const unixMsSchema = z.int().min(0);
