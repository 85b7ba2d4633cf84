import { createHash } from 'node:crypto';
import type { StatusBoard } from './status-board.ts';

type Body = { revision: number; tag: string; raw: Buffer };

/** What changes with the register alone: built once a revision, and tagged by its own bytes. */
export class FixedBodies {
  readonly #board: StatusBoard;
  readonly #bodies = new Map<string, Body>();

  constructor(board: StatusBoard) {
    this.#board = board;
  }

  get(path: string, view: () => object): Body {
    const revision = this.#board.registerRevision;
    const known = this.#bodies.get(path);
    if (known?.revision === revision) return known;
    const raw = Buffer.from(JSON.stringify(view()));
    const body = { revision, tag: digest(raw), raw };
    this.#bodies.set(path, body);
    return body;
  }
}

/** The same for the same bytes, in any process. */
export function digest(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
