import { expect, test } from 'vitest';
import { FakeClock } from '../../support/fake-clock.ts';
import { startFeed, type TestFeed } from '../../support/feed.ts';
import { ask } from '../../support/http.ts';
import { said } from '../../support/station-words.ts';

const range = `from=${Date.UTC(2026, 10, 23, 1)}&to=${Date.UTC(2026, 10, 23, 4)}`;
const path = `/v1/stations/a/history?metric=energy_wh&${range}`;

async function twoHours(): Promise<TestFeed> {
  const feed = await startFeed({ clock: new FakeClock(Date.UTC(2026, 10, 23, 5, 30)) });
  await feed.keep('a', [
    said.port(Date.UTC(2026, 10, 23, 1, 15), 'charging'),
    said.port(Date.UTC(2026, 10, 23, 2, 30), 'free', 6400),
    { kind: 'sensor', sensor: 'port-1', at: Date.UTC(2026, 10, 23, 3), health: 'silent', reason: 'no word' },
  ]);
  return feed;
}

const texts = {
  json: '{"version":"1","station":"a","metric":"energy_wh","step":"hour","points":[{"t":"2026-11-23T01:00:00Z","value":0},{"t":"2026-11-23T02:00:00Z","value":6.4},{"t":"2026-11-23T03:00:00Z","value":null}]}',
  csv: '\uFEFFtime,energy_wh\r\n2026-11-23T01:00:00Z,0\r\n2026-11-23T02:00:00Z,6.4\r\n2026-11-23T03:00:00Z,\r\n',
  ndjson:
    '{"t":"2026-11-23T01:00:00Z","energy_wh":0}\n{"t":"2026-11-23T02:00:00Z","energy_wh":6.4}\n{"t":"2026-11-23T03:00:00Z","energy_wh":null}\n',
};
const types = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
};

test('JSON, CSV and NDJSON say the same, each in its own way; a gap is null or empty and never 0', async () => {
  const { http } = await twoHours();
  for (const format of ['json', 'csv', 'ndjson'] as const) {
    const { headers, text } = await ask(http, `${path}&format=${format}`);
    expect(text).toBe(texts[format]);
    expect(headers).toMatchObject({
      'content-type': types[format],
      'cache-control': 'public, max-age=60',
      vary: 'accept',
    });
  }
});

test.each<[accept: string | undefined, format: keyof typeof texts]>([
  [undefined, 'json'],
  ['*/*', 'json'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'json'],
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['text/*', 'csv'],
  ['text/csv, */*;q=0.1', 'csv'],
  ['Text/CSV', 'csv'],
  ['application/json, text/csv;q=0.5', 'json'],
  ['text/csv;q=0', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/x-ndjson, application/json;q=0.9, text/csv;q=0.9', 'ndjson'],
  ['application/pdf', 'json'],
])('Accept: %s gets %s', async (accept, format) => {
  const { http } = await twoHours();
  const { headers } = await ask(http, path, accept === undefined ? {} : { headers: { accept } });
  expect(headers['content-type']).toBe(types[format]);
});

test('?format goes before Accept', async () => {
  const { http } = await twoHours();
  const { text } = await ask(http, `${path}&format=csv`, { headers: { accept: 'application/x-ndjson' } });
  expect(text).toBe(texts.csv);
});
