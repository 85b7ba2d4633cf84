import type { Statements } from '../../protocol/host/statements.ts';
import type { KnownCommand } from './outbox.ts';

const sql = {
  known: 'SELECT reply FROM command WHERE id = ?',
  begin: 'INSERT INTO command (id, expires_ms) VALUES (?, ?)',
  end: 'UPDATE command SET reply = ? WHERE id = ?',
  forget: 'DELETE FROM command WHERE expires_ms < ?',
} as const;

/** Commands by id: noted before they run, answered after it (protocol README §3, rule 14). */
export class CommandLedger {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  begin(id: string, expiresMs: number): KnownCommand {
    const known = this.#statements.get<{ reply: string | null }>(sql.known, id);
    if (known) return known.reply === null ? { kind: 'interrupted' } : { kind: 'answered', reply: known.reply };
    this.#statements.run(sql.begin, id, expiresMs);
    return { kind: 'new' };
  }

  end(id: string, reply: string): void {
    this.#statements.run(sql.end, reply, id);
  }

  forget(wallMs: number): void {
    this.#statements.run(sql.forget, wallMs);
  }
}
