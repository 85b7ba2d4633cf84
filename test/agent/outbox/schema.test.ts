import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { schemaVersion } from '../../../agent/outbox/schema.ts';
import { StoreError } from '../../../protocol/host/sqlite.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { asideFiles } from './corrupt-rig.ts';
import { inspect, openIn, openStored, readEvents, tamper, visit } from './rig.ts';

const schemas = join(import.meta.dirname, 'schemas');
const versions = readdirSync(schemas).map((file) => Number.parseInt(file, 10));

/** A file as that version of the schema left it. */
function written(version: number): string {
  const dataDir = tempDir();
  const db = new Database(join(dataDir, 'outbox.db'));
  db.exec(readFileSync(join(schemas, `${version}.sql`), 'utf8'));
  db.close();
  return dataDir;
}

const layout = (dataDir: string): string[] =>
  inspect<{ sql: string }>(dataDir, 'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name').map(
    ({ sql }) => sql.replaceAll(/--.*$/gm, '').replaceAll(/\s+/g, ' '),
  );

test('there is a file of every released schema', () => {
  expect(versions.toSorted()).toEqual(Array.from({ length: schemaVersion }, (_, index) => index + 1));
});

test.each(versions)(
  'a file of schema %i has the layout of a new one when it was opened, and all its content',
  async (version) => {
    const dataDir = written(version);
    const outbox = await openIn(dataDir);
    const fresh = tempDir();
    await openIn(fresh);
    expect(layout(dataDir)).toEqual(layout(fresh));
    for (const file of [dataDir, fresh])
      expect(inspect(file, 'PRAGMA user_version')).toEqual([{ user_version: schemaVersion }]);
    const epoch = '0e6ba4c2d18f4f7fa3b0c9d8e7f60512';
    expect(outbox.recovered).toBeNull();
    expect(outbox.instance).toBe('5f0c8a4be1d94c0e9a7712d3c4b5a697');
    expect(outbox.positions()[0]).toEqual({ id: epoch, oldest: 1, last: 4, acked: 1 });
    expect(await readEvents(outbox, 1, epoch)).toEqual([
      { at: 1_795_399_199_500, kind: 'agent', sensor: 'agent', what: 'started' },
      {
        at: 1_795_399_200_500,
        kind: 'gap',
        sensor: 'agent',
        from: 2,
        to: 3,
        reason: 'thinned',
        lost: { water: { ml: 250 } },
      },
      { at: 1_795_399_201_000, kind: 'door', sensor: 'door', open: true },
    ]);
    expect(await outbox.memory()).toEqual({ people: '{"inside":2,"basis":"counted","counters":{}}' });
    expect(await outbox.beginCommand('c1', 0)).toMatchObject({ kind: 'answered' });
    expect(await outbox.append([visit(1)], {})).toMatchObject({ ok: true, last: 1 });
  },
);

test('an epoch’s order is never given twice, even after it was forgotten', async () => {
  const dataDir = written(1);
  await (await openIn(dataDir)).close();
  await (await openIn(dataDir)).close();
  expect(inspect(dataDir, 'SELECT n FROM epoch ORDER BY n')).toEqual([{ n: 7 }, { n: 9 }]);
});

test('a file of a newer schema is refused with both versions, and left as it is', async () => {
  const dataDir = written(1);
  tamper(dataDir, `PRAGMA user_version = ${schemaVersion + 1}`);
  const refused = openStored(dataDir);
  await expect(refused).rejects.toThrow(StoreError);
  await expect(refused).rejects.toThrow(
    `outbox schema ${schemaVersion + 1} is newer than this agent's ${schemaVersion}`,
  );
  expect(asideFiles(dataDir)).toEqual([]);
  expect(inspect(dataDir, 'SELECT count(*) AS n FROM event')).toEqual([{ n: 2 }]);
  expect(inspect(dataDir, 'SELECT n FROM epoch')).toEqual([{ n: 7 }]);
});
