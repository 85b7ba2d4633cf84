import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { chooseEncoding, type Encoding } from '../../../cloud/feed/region-bodies.ts';
import { startFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { portsOf } from '../../support/station-words.ts';

const path = '/v1/regions/341002/status.json';
const decoders: Record<Encoding, (bytes: Buffer) => Buffer> = {
  br: (bytes) => brotliDecompressSync(bytes),
  gzip: (bytes) => gunzipSync(bytes),
  identity: (bytes) => bytes,
};

test('br, gzip and identity decode to the same body, and caches are told that they differ', async () => {
  const { http, tell } = await startFeed();
  await tell('a', { ports: portsOf('free') });
  const plain = (await ask(http, path)).text;
  expect(JSON.parse(plain)).toMatchObject({ region: '341002', stations: [{ id: 'a' }] });
  for (const encoding of ['br', 'gzip', 'identity'] as const) {
    for (const _time of [1, 2]) {
      const { headers, body } = await ask(http, path, { headers: { 'accept-encoding': encoding } });
      expect(headers['content-encoding'] ?? 'identity').toBe(encoding);
      expect(headers['content-type']).toBe('application/json; charset=utf-8');
      expect(headers.vary).toBe('accept-encoding');
      expect(decoders[encoding](body).toString('utf8')).toBe(plain);
    }
  }
});

test('a compressed body is the one of its step, never of the step before', async () => {
  const { http, tell } = await startFeed();
  for (const free of [1, 2, 3]) {
    await tell('a', { ports: portsOf(...Array<'free'>(free).fill('free')) });
    for (const encoding of ['br', 'gzip'] as const) {
      const { body } = await ask(http, path, { headers: { 'accept-encoding': encoding } });
      const { stations } = JSON.parse(decoders[encoding](body).toString('utf8'));
      expect(stations[0].features).toEqual([expect.objectContaining({ kind: 'port', total: free, free })]);
    }
  }
});

test.each<[header: string | undefined, encoding: Encoding]>([
  [undefined, 'identity'],
  ['', 'identity'],
  ['gzip', 'gzip'],
  ['br', 'br'],
  ['gzip, deflate, br, zstd', 'br'],
  ['GZIP', 'gzip'],
  ['gzip;q=1.0, br;q=0.5', 'gzip'],
  ['br;q=0.5, gzip;q=0.8', 'gzip'],
  ['br; q=0.9 , gzip;q=0.8', 'br'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0, gzip;q=0', 'identity'],
  ['br;q=0.0, gzip;q=0.000', 'identity'],
  ['identity;q=1, gzip;q=0.5', 'identity'],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['identity', 'identity'],
  ['*', 'br'],
  ['*;q=0', 'identity'],
  ['br;q=0, *', 'gzip'],
  ['gzip;q=nonsense', 'identity'],
  ['zstd', 'identity'],
  [';;;,,,q=1', 'identity'],
])('Accept-Encoding %j gets %s', (header, encoding) => {
  expect(chooseEncoding(header)).toBe(encoding);
});
