import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { weightsOf } from './accept.ts';
import type { StatusBoard } from './status-board.ts';

export type Encoding = 'br' | 'gzip' | 'identity';

const statusTtlS = 10;
const compress = { br: promisify(brotliCompress), gzip: promisify(gzip) };
/** Quality 4 packs JSON as tight as gzip's best, in a fraction of the time. */
const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

type Body = { seq: number; raw: Buffer; encoded: Map<Encoding, Promise<Buffer>> };

/** `status.json` of every region: built and compressed once a step, never once a request. */
export class RegionBodies {
  readonly #board: StatusBoard;
  readonly #bodies = new Map<string, Body>();

  constructor(board: StatusBoard) {
    this.#board = board;
  }

  /** Null for a region without stations. */
  async get(region: string, encoding: Encoding): Promise<Buffer | null> {
    const seq = this.#board.regionSeq(region);
    if (seq === null) return null;
    const known = this.#bodies.get(region);
    const body = known?.seq === seq ? known : this.#build(region, seq);
    if (encoding === 'identity') return body.raw;
    const encoded =
      body.encoded.get(encoding) ??
      (encoding === 'br' ? compress.br(body.raw, brotliOptions) : compress.gzip(body.raw));
    body.encoded.set(encoding, encoded);
    return encoded;
  }

  #build(region: string, seq: number): Body {
    const snapshot = this.#board.snapshot(region);
    const raw = Buffer.from(
      JSON.stringify({
        version: '1',
        region,
        epoch: this.#board.epoch,
        seq,
        evaluated_at: snapshot?.evaluatedAt,
        ttl: statusTtlS,
        stations: snapshot?.stations ?? [],
      }),
    );
    const body: Body = { seq, raw, encoded: new Map() };
    this.#bodies.set(region, body);
    return body;
  }
}

/** The encoding that an `Accept-Encoding` header wants most, the tighter one where it does not care. */
export function chooseEncoding(header: string | undefined): Encoding {
  const weights = weightsOf(header);
  const weight = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0;
  const best = weight('gzip') > weight('br') ? 'gzip' : 'br';
  return weight(best) > 0 && weight(best) >= (weights.get('identity') ?? 0) ? best : 'identity';
}
