import type Database from 'better-sqlite3';
import { storeError } from './sqlite.ts';

/** The statements of one database, each prepared once. What fails throws StoreError. */
export class Statements {
  readonly #db: Database.Database;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** The statement itself, whose own errors tell a full disk from a broken one. */
  prepare(text: string): Database.Statement {
    let statement = this.#prepared.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#prepared.set(text, statement);
    }
    return statement;
  }

  run(text: string, ...parameters: unknown[]): Database.RunResult {
    return this.guard(() => this.prepare(text).run(...parameters));
  }

  all<Row>(text: string, ...parameters: unknown[]): Row[] {
    return this.guard(() => this.prepare(text).all(...parameters) as Row[]);
  }

  get<Row>(text: string, ...parameters: unknown[]): Row | undefined {
    return this.guard(() => this.prepare(text).get(...parameters) as Row | undefined);
  }

  guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error);
    }
  }
}
