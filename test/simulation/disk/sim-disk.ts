import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import type { Disk } from '../../../agent/outbox/disk.ts';
import { Statements } from '../../../protocol/host/statements.ts';
import type { Life } from '../kernel/life.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = join(root, 'test/simulation/disk/simdisk.c');

type Operation = (operation: string, path?: string | number, argument?: string | number) => number;

/**
 * The disks of a simulation: real SQLite over files that lose what was not synced (simdisk.c). One
 * for a process; every simulation begins with empty ones.
 */
export class SimDisks {
  readonly #do: Operation;
  readonly #root: string;

  constructor(directory: string) {
    const control = new Database(':memory:');
    control.loadExtension(compiledExtension());
    const statement = control.prepare<unknown[], number>('SELECT simdisk(?, ?, ?)').pluck();
    this.#do = (operation, path = '', argument = 0) => statement.get(operation, path, argument) ?? 0;
    this.#root = `${directory}/`;
    this.#do('root', this.#root);
  }

  /** Forgets every file; the same seed gives the same accidents. */
  begin(seed: number): void {
    this.#do('forget', this.#root);
    this.#do('seed', seed);
  }

  machine(name: string): MachineDisk {
    const directory = join(this.#root, name);
    mkdirSync(directory, { recursive: true });
    return new MachineDisk(directory, this.#do);
  }
}

/** A reader of a database, and what it remembers of the rows that it saw: within a process's life none goes away. */
export type Look = { db: Database.Database; statements: Statements; memory: Map<string, number> };

/** A database as it was once. */
export type Image = { file: string; name: string };

/** The disk of one machine. */
export class MachineDisk {
  readonly directory: string;
  readonly #prefix: string;
  readonly #do: Operation;
  readonly #open = new Set<Database.Database>();
  readonly #looks = new Map<string, Look>();
  #lying = false;
  #wasFull = false;
  /** Images lie on another disk. */
  readonly #images: string;
  #imageCount = 0;

  constructor(directory: string, operation: Operation) {
    this.directory = directory;
    this.#prefix = `${directory}/`;
    this.#images = `${directory}.images`;
    this.#do = operation;
    this.clear();
  }

  /** Opens a database for a process: its transactions are acts at which it may crash. */
  openFor(life: Life, path: string): Database.Database {
    life.enter();
    const db = new Database(path);
    this.#open.add(db);
    crashable(db, life);
    return db;
  }

  /** The agent's view of it. */
  diskFor(life: Life): Disk {
    const operation = this.#do;
    return {
      open: (path) => this.openFor(life, path),
      exists: (path) => operation('exists', path) === 1,
      sizeBytes: (path) => operation('size', path),
      rename(from, to) {
        life.enter();
        operation('rename', from, to);
      },
      remove(path) {
        life.enter();
        operation('remove', path);
      },
      preallocate(path, bytes) {
        life.enter();
        if (operation('preallocate', path, bytes) === 0) throw new Error('ENOSPC: no space left on device');
      },
      free: () => null,
    };
  }

  /** Power is gone: what was not synced may be lost. */
  cutPower(): void {
    this.#do('cut', this.#prefix);
    this.#closeAll();
  }

  /** The process is gone, the machine runs on. */
  killProcess(): void {
    this.#do('kill', this.#prefix);
    this.#closeAll();
  }

  /** @param bytes that still fit; null for any number */
  limit(bytes: number | null): void {
    this.#wasFull ||= bytes !== null;
    this.#do('limit', this.#prefix, bytes === null ? -1 : this.#do('used', this.#prefix) + bytes);
  }

  /** The write or sync after so many others fails; every one from then on until `clear` where `forGood`. */
  failAfter(operations: number): void {
    this.#do('fail-after', this.#prefix, operations);
  }

  /** A sync returns and nothing was synced. */
  lie(lying: boolean): void {
    this.#lying = lying;
    this.#do('lying', this.#prefix, lying ? 1 : 0);
  }

  clear(): void {
    this.limit(null);
    this.#do('fail-after', this.#prefix, -1);
    this.lie(false);
  }

  /** Bits of the file turn over. No process may have it open. */
  flipBits(file: string, count: number): void {
    this.#closeAll();
    this.#do('flip', join(this.directory, file), count);
  }

  truncate(file: string, share: number): void {
    this.#closeAll();
    const path = join(this.directory, file);
    this.#do('truncate', path, Math.floor(this.#do('size', path) * share));
  }

  wipe(): void {
    this.#do('forget', this.#prefix);
    this.#closeAll();
  }

  /** Keeps a copy of a database with its log, as a backup of the running system would. */
  takeImage(file: string): Image {
    const name = join(this.#images, String(this.#imageCount++));
    for (const suffix of ['', '-wal']) this.#do('copy', join(this.directory, file + suffix), name + suffix);
    return { file, name };
  }

  /** No process may have the file open. */
  restoreImage({ file, name }: Image): void {
    this.#closeAll();
    for (const suffix of ['', '-wal']) this.#do('copy', name + suffix, join(this.directory, file + suffix));
    this.#do('remove', join(this.directory, `${file}-shm`));
  }

  /** Copies a database to another machine. */
  copyTo(other: MachineDisk, file: string): void {
    for (const suffix of ['', '-wal'])
      this.#do('copy', join(this.directory, file + suffix), join(other.directory, file + suffix));
  }

  /** A look from outside, beside the processes; good until the next death of one. */
  look(file: string): Look {
    const known = this.#looks.get(file);
    if (known) return known;
    const db = new Database(join(this.directory, file), { readonly: true });
    const look = { db, statements: new Statements(db), memory: new Map<string, number>() };
    this.#looks.set(file, look);
    this.#open.add(db);
    return look;
  }

  /**
   * Writes to the database's log that a power cut could take back; what of it is in the file already
   * does not count. After a full disk nobody can tell: the rest of a failed transaction is among them.
   */
  unsynced(file: string): number {
    if (this.#wasFull) return 0;
    return this.#do('unsynced', join(this.directory, `${file}-wal`));
  }

  get lying(): boolean {
    return this.#lying;
  }

  bytes(): number {
    return this.#do('used', this.#prefix);
  }

  #closeAll(): void {
    this.#wasFull = false;
    for (const db of this.#open) db.close();
    this.#open.clear();
    this.#looks.clear();
  }
}

/** Before a transaction and after its commit are the two moments that matter most for a crash. */
function crashable(db: Database.Database, life: Life): void {
  const transaction = db.transaction.bind(db);
  const wrap =
    (run: (...parameters: unknown[]) => unknown) =>
    (...parameters: unknown[]): unknown => {
      life.enter();
      const result = run(...parameters);
      life.enter();
      return result;
    };
  db.transaction = ((work: Parameters<typeof transaction>[0]) => {
    const run = transaction(work);
    return Object.assign(wrap(run), { immediate: wrap(run.immediate) });
  }) as typeof db.transaction;
}

/** Compiles the extension once for each version of its source. */
function compiledExtension(): string {
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const library = join(root, 'node_modules/.cache/yizhan', `simdisk-${hash}.so`);
  if (existsSync(library)) return library;
  mkdirSync(dirname(library), { recursive: true });
  const headers = join(root, 'node_modules/better-sqlite3/deps/sqlite3');
  const made = `${library}.${process.pid}`;
  const options = ['-std=c11', '-Wall', '-Wextra', '-Werror', '-O2', '-shared', '-fPIC', '-D_GNU_SOURCE'];
  execFileSync('gcc', [...options, '-I', headers, source, '-o', made], { stdio: 'inherit' });
  renameSync(made, library);
  return library;
}
