import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { nodeDisk } from '../../../agent/outbox/disk.ts';
import { type OpenOptions, openOutbox, type StoredOutbox } from '../../../agent/outbox/open-outbox.ts';
import type { Entry, Outbox } from '../../../agent/outbox/outbox.ts';

/** The outbox's tests live in this morning of a station. */
export const startMs = Date.UTC(2026, 10, 23, 2);
export const limits = { maxEvents: 200, maxBytes: 64 * 1024 };

export const newId = (): string => randomBytes(16).toString('hex');

export function openStored(dataDir: string, options: Partial<OpenOptions> = {}): Promise<StoredOutbox> {
  return openOutbox({
    disk: nodeDisk,
    dataDir,
    boot: 'boot-1',
    newId,
    wallMs: startMs,
    checkInlineMaxBytes: 32 * 1024 * 1024,
    ...options,
  });
}

/** An outbox that is closed with its test, at the latest. */
export async function openIn(dataDir: string, options: Partial<OpenOptions> = {}): Promise<Outbox> {
  const { outbox } = await openStored(dataDir, options);
  onTestFinished(() => outbox.close());
  return outbox;
}

/** From now on this boot knows the time: at `monoMs` it was `wallMs`. */
export function setClock(outbox: Outbox, wallMs = startMs, monoMs = 0, boot = 'boot-1'): Promise<void> {
  return outbox.anchor({ boot, monoMs, wallMs, source: 'cloud' });
}

/** Someone came in: a transition. */
export function visit(monoMs: number, visitors = 1): Entry {
  const bodyJson = `{"kind":"people","sensor":"people","in":${visitors},"out":0,"inside":1,"basis":"counted"}`;
  return { bodyJson, transition: true, monoMs };
}

/** A litre figure: a measurement. */
export function litres(monoMs: number, ml: number, sensor = 'water'): Entry {
  const bodyJson = `{"kind":"water","sensor":"${sensor}","tankPct":80,"hotC":90,"coldC":null,"ml":${ml},"fault":0,"filterPct":null}`;
  return { bodyJson, transition: false, monoMs };
}

export const visits = (count: number, fromMs = 1): Entry[] =>
  Array.from({ length: count }, (_, index) => visit(fromMs + index));

export type WireEvent = Record<string, unknown> & { kind: string; at: number };

/** The events of a batch that starts at `first`, as their receiver sees them. */
export async function readEvents(outbox: Outbox, first = 1, epoch = outbox.currentEpoch()): Promise<WireEvent[]> {
  const batch = await outbox.read(epoch, first, limits);
  return (batch?.events ?? []).map((json) => JSON.parse(json));
}

/** Looks into the file beside its owner. */
export function inspect<Row>(dataDir: string, select: string): Row[] {
  const db = new Database(join(dataDir, 'outbox.db'));
  try {
    return db.prepare(select).all() as Row[];
  } finally {
    db.close();
  }
}

/** Changes the file behind its owner's back, as a dying card does. */
export function tamper(dataDir: string, statement: string): void {
  const db = new Database(join(dataDir, 'outbox.db'));
  db.exec(statement);
  db.close();
}
