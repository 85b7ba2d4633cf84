import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll } from 'vitest';
import { nodeDisk } from '../../../agent/outbox/disk.ts';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { sequenceEvents } from '../../../protocol/codec.ts';
import { ramDirectory, tempDir } from '../../support/temp-dir.ts';
import { limits, litres, openStored, setClock, startMs, visit } from './rig.ts';

export const pageBytes = 4096;

/** A sound outbox of two boots: 400 events an epoch, ten of them receipts, and the memory of five sensors. */
export type Template = {
  directory: string;
  epochs: readonly string[];
  /** Every event by its epoch and sequence, as its receiver sees it. */
  told: ReadonlyMap<string, string>;
  pages: number;
  /** First page of every table and index. */
  roots: Readonly<Record<string, number>>;
};

/** Made once a file; call it from `beforeAll`. */
export async function makeTemplate(): Promise<Template> {
  const directory = mkdtempSync(join(ramDirectory, 'yizhan-test-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const epochs: string[] = [];
  const told = new Map<string, string>();
  for (const boot of ['boot-1', 'boot-2']) {
    const { outbox } = await openStored(directory, { boot });
    for (const monoMs of [0, 1]) await setClock(outbox, startMs + monoMs, monoMs, boot);
    for (let n = 0; n < 400; n += 4) {
      const memory = { [`sensor:${n % 20}`]: JSON.stringify({ n, pad: 'x'.repeat(150) }) };
      await outbox.append([visit(n), visit(n + 1), litres(n + 2, n), visit(n + 3)], memory);
    }
    if (boot === 'boot-1') await outbox.trim(10);
    await outbox.beginCommand(`command-${boot}`, 0);
    for (const [seq, event] of (await tellAll(outbox, outbox.currentEpoch())).entries())
      told.set(`${outbox.currentEpoch()}/${seq}`, event);
    epochs.push(outbox.currentEpoch());
    await outbox.close();
  }
  const db = new Database(join(directory, 'outbox.db'), { readonly: true });
  const schema = db.prepare<[], { name: string; rootpage: number }>('SELECT name, rootpage FROM sqlite_schema').all();
  db.close();
  const pages = nodeDisk.sizeBytes(join(directory, 'outbox.db')) / pageBytes;
  return {
    directory,
    epochs,
    told,
    pages,
    roots: Object.fromEntries(schema.map((item) => [item.name, item.rootpage])),
  };
}

/** A copy of the template whose file was changed. */
export function damaged(template: Template, damage: (bytes: Buffer) => Buffer | undefined): string {
  const dataDir = tempDir(ramDirectory);
  cpSync(template.directory, dataDir, { recursive: true });
  const path = join(dataDir, 'outbox.db');
  const bytes = readFileSync(path);
  writeFileSync(path, damage(bytes) ?? bytes);
  return dataDir;
}

export function zeroPage(page: number): (bytes: Buffer) => Buffer {
  return (bytes) => bytes.fill(0, (page - 1) * pageBytes, page * pageBytes);
}

export const asideFiles = (dataDir: string): string[] =>
  readdirSync(dataDir).filter((file) => file.startsWith('outbox.corrupt-') && file.endsWith('.db'));

/**
 * What a cloud would get of the epoch, by sequence: the JSON of an event, `gap` within a receipt.
 *
 * @throws Error where a batch is no JSON, a receipt is invalid, or nothing goes although something is there
 */
export async function tellAll(outbox: Outbox, epoch: string): Promise<Map<number, string>> {
  const position = outbox.positions().find(({ id }) => id === epoch);
  const told = new Map<number, string>();
  for (let first = 1; first <= (position?.last ?? 0); ) {
    const batch = await outbox.read(epoch, first, limits);
    if (!batch) throw new Error(`${epoch}: blocked at ${first} of ${position?.last}`);
    const events = sequenceEvents({ first, events: batch.events.map((json) => JSON.parse(json)) });
    for (const event of events) {
      const gap = event.valid && event.event.kind === 'gap';
      if (!event.valid && event.reason.startsWith('gap')) throw new Error(`${event.json}: ${event.reason}`);
      for (let seq = event.first; seq <= event.last; seq++) told.set(seq, gap ? 'gap' : event.json);
    }
    first = batch.upTo + 1;
  }
  return told;
}

/** Sequences of the template that a damaged outbox tells as gaps or not at all; throws where it tells another event. */
export async function missing(outbox: Outbox, template: Template): Promise<number> {
  let lost = 0;
  const told = new Map<string, Map<number, string>>();
  for (const epoch of template.epochs) told.set(epoch, await tellAll(outbox, epoch));
  for (const [key, event] of template.told) {
    const [epoch = '', seq] = key.split('/');
    const now = told.get(epoch)?.get(Number(seq)) ?? 'gap';
    if (now === event) continue;
    if (now !== 'gap') throw new Error(`${key}: ${now} in place of ${event}`);
    lost += 1;
  }
  return lost;
}
