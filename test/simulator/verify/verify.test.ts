import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LedgerEntry } from '../../../simulator/ledger/ledger.ts';
import { emptyVerdict, type Verdict } from '../../../simulator/verify/compare.ts';
import type { VerifyResult } from '../../../simulator/verify/verify.ts';
import { simulatorCli } from '../../support/simulator-cli.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { newer, older, type StoredTruth, storeTruth, writeLedger } from './stored-truth.ts';

const epochN = (epoch: string): string => `(SELECT n FROM epoch WHERE id = '${epoch}')`;
const inFleet = "(SELECT n FROM epoch WHERE id LIKE 'c%')";
const visit = `epoch = ${epochN(older)} AND seq = 2`;

async function verifyStored({ dataDir, ledgerDir }: StoredTruth): Promise<{ code: number; result: VerifyResult }> {
  const { code, stdout } = await simulatorCli('verify', '--ledger', ledgerDir, '--data', dataDir, '--json');
  return { code, result: JSON.parse(stdout.join('')) };
}

/** Everything that is not 0, as `lost.in: 1`. */
function findings(verdict: Verdict): Record<string, number> {
  const { declaredLost: _declared, untold: _untold, events: _events, lost, doubled, ...plain } = verdict;
  const prefixed = (name: string, of: object) => Object.entries(of).map(([field, n]) => [`${name}.${field}`, n]);
  const all = [...prefixed('lost', lost), ...prefixed('doubled', doubled), ...Object.entries(plain)];
  return Object.fromEntries(all.filter(([, n]) => n !== 0));
}

test('a store that has everything is clean: exit code 0, declared losses and untold counts are no finding', async () => {
  const { code, result } = await verifyStored(await storeTruth());
  expect({ code, ok: result.ok, stations: result.stations, found: findings(result.total) }).toEqual({
    code: 0,
    ok: true,
    stations: 2,
    found: {},
  });
  expect(result.total).toMatchObject({ declaredLost: 3, untold: 1, events: 15 });
});

const shift = (epoch: string, from: number): string[] => [
  `INSERT INTO event SELECT epoch, -seq - 1, at, kind, body FROM event WHERE epoch = ${epochN(epoch)} AND seq >= ${from}`,
  `DELETE FROM event WHERE epoch = ${epochN(epoch)} AND seq >= ${from}`,
  'UPDATE event SET seq = -seq WHERE seq < 0',
];

test.each<{ defect: string; plant: string[]; found: Record<string, number> }>([
  {
    defect: 'a visit is deleted',
    plant: [`DELETE FROM event WHERE ${visit}`],
    found: { 'lost.in': 1, 'lost.events': 1, wrongRollups: 1 },
  },
  {
    defect: 'an event that counts nothing is deleted',
    plant: [`DELETE FROM event WHERE epoch = ${epochN(older)} AND seq = 3`],
    found: { 'lost.events': 1 },
  },
  {
    defect: 'the newest event is deleted',
    plant: [`DELETE FROM event WHERE epoch = ${epochN(newer)} AND seq = 6`],
    found: { 'lost.events': 1, 'lost.presses': 1, wrongRollups: 1 },
  },
  {
    defect: 'an event of a fleet is deleted',
    plant: [`DELETE FROM event WHERE epoch = ${inFleet} AND seq = 3`],
    found: { 'lost.events': 1 },
  },
  {
    defect: 'the end of a fleet’s epoch is deleted and forgotten',
    plant: [
      `DELETE FROM event WHERE epoch = ${inFleet} AND seq = 5`,
      `UPDATE epoch SET up_to = 4, max_seen = 4, known_last = 4 WHERE n = ${inFleet}`,
    ],
    found: { 'lost.events': 1, wrongRollups: 1 },
  },
  {
    defect: 'a visit is stored twice',
    plant: [...shift(older, 3), `INSERT INTO event SELECT epoch, 3, at, kind, body FROM event WHERE ${visit}`],
    found: { 'doubled.in': 1, wrongRollups: 1 },
  },
  {
    defect: 'an event of a fleet is stored twice',
    plant: [`INSERT INTO event SELECT epoch, 6, at, kind, body FROM event WHERE epoch = ${inFleet} AND seq = 3`],
    found: { 'doubled.events': 1 },
  },
  {
    defect: 'an event that nobody sent is stored',
    plant: [
      `INSERT INTO event SELECT epoch, 6, at, kind, replace(body, 'true', 'false') FROM event WHERE epoch = ${inFleet} AND seq = 3`,
    ],
    found: { phantom: 1 },
  },
  {
    defect: 'a visit is moved to another station',
    plant: [`UPDATE event SET epoch = ${inFleet}, seq = 6 WHERE ${visit}`],
    found: { 'lost.in': 1, 'lost.events': 1, phantom: 1, wrongRollups: 2 },
  },
  {
    defect: 'a visit is moved to another epoch',
    plant: [`UPDATE event SET epoch = ${epochN(newer)}, seq = 7 WHERE ${visit}`],
    found: { 'lost.events': 1 },
  },
  {
    defect: 'an event of a fleet is moved within its epoch',
    plant: [`UPDATE event SET seq = 6 WHERE epoch = ${inFleet} AND seq = 3`],
    found: { misplaced: 1 },
  },
  {
    defect: 'a visit is moved in time',
    plant: [`UPDATE event SET body = replace(body, '"at":' || at, '"at":' || (at + 60000)) WHERE ${visit}`],
    found: { misplaced: 1 },
  },
  {
    defect: 'a visit becomes two',
    plant: [`UPDATE event SET body = replace(body, '"in":1', '"in":2') WHERE ${visit}`],
    found: { 'doubled.in': 1, wrongRollups: 1 },
  },
  {
    defect: 'water is altered',
    plant: [`UPDATE event SET body = replace(body, '"ml":250', '"ml":240') WHERE epoch = ${epochN(older)} AND seq = 4`],
    found: { 'lost.ml': 10, wrongRollups: 1 },
  },
  {
    defect: 'an event of a fleet is altered',
    plant: [`UPDATE event SET body = replace(body, 'true', 'false') WHERE epoch = ${inFleet} AND seq = 3`],
    found: { altered: 1 },
  },
  {
    defect: 'a gap receipt is removed',
    plant: [`DELETE FROM gap WHERE epoch = ${epochN(newer)}`],
    found: { 'lost.in': 2, 'lost.events': 3, wrongRollups: 1 },
  },
  {
    defect: 'a gap receipt forgets what it held',
    plant: [`UPDATE gap SET body = json_remove(body, '$.lost')`],
    found: { 'lost.in': 2, wrongRollups: 1 },
  },
  {
    defect: 'an hour’s sums move to another hour',
    plant: ['UPDATE rollup SET hour = hour - 3600000 WHERE ml = 250'],
    found: { wrongRollups: 8 },
  },
  {
    defect: 'an event is in quarantine',
    plant: [
      `INSERT INTO quarantine (station, epoch, seq, received_ms, reason, bytes) SELECT station, n, 3, 0, 'x', '{}' FROM epoch WHERE id = '${older}'`,
      `UPDATE event SET kind = 'poison', body = '' WHERE epoch = ${epochN(older)} AND seq = 3`,
    ],
    found: { quarantined: 1 },
  },
])('finds it where $defect', async ({ plant, found }) => {
  const truth = await storeTruth();
  truth.plant(...plant);
  const { code, result } = await verifyStored(truth);
  expect(findings(result.total)).toEqual(found);
  expect({ code, ok: result.ok }).toEqual({ code: 1, ok: false });
});

test('says what it found in words, by amounts of what was lost and doubled', async () => {
  const truth = await storeTruth();
  truth.plant(`DELETE FROM event WHERE ${visit}`);
  const { code, stdout, stderr } = await simulatorCli('verify', '--ledger', truth.ledgerDir, '--data', truth.dataDir);
  expect(code).toBe(1);
  expect(stdout.join('\n')).toMatch(/^2 stations, 14 events.*\nlost +1 visits, 0 leaves.*1 events\ndoubled +0 visits/);
  expect(stderr).toEqual(['the cloud differs from the truth']);
});

test('waits for a cloud that is still at it, and no longer than it was told', async () => {
  const { ledgerDir, dataDir, plant } = await storeTruth();
  const late: LedgerEntry = { kind: 'event', at: 1, epoch: 'd'.repeat(32), seq: 1, hash: 'f'.repeat(16) };
  writeLedger(ledgerDir, 'by-fleet', [late]);
  const run = (wait: string) => simulatorCli('verify', '--ledger', ledgerDir, '--data', dataDir, '--wait', wait);
  expect((await run('0.1')).code).toBe(1);
  const waiting = run('60');
  plant("UPDATE epoch SET id = 'x' WHERE id LIKE 'c%'");
  rmSync(join(ledgerDir, 'by-fleet.jsonl'));
  plant("DELETE FROM station WHERE id = 'by-fleet'");
  expect((await waiting).code).toBe(0);
});

test.each<{ what: string; change: (truth: StoredTruth) => StoredTruth; line: RegExp }>([
  {
    what: 'no ledger there',
    change: (truth) => ({ ...truth, ledgerDir: join(truth.ledgerDir, 'none') }),
    line: /none: expected the ledgers of a simulation, found nothing$/,
  },
  {
    what: 'a folder without a ledger',
    change: (truth) => ({ ...truth, ledgerDir: tempDir() }),
    line: /: expected at least one ledger \(\*\.jsonl\), found none$/,
  },
  {
    what: 'no store there',
    change: (truth) => ({ ...truth, dataDir: tempDir() }),
    line: /cloud\.db: expected the cloud's store, found nothing$/,
  },
  {
    what: 'the ledger of another world',
    change(truth) {
      cpSync(join(truth.ledgerDir, 'by-agent.jsonl'), join(truth.ledgerDir, 'elsewhere.jsonl'));
      return truth;
    },
    line: /^elsewhere: has a ledger and is not in the cloud's register; is it the ledger of another cloud's simulation\?$/,
  },
])('refuses $what with one line and exit code 78', async ({ change, line }) => {
  const { ledgerDir, dataDir } = change(await storeTruth());
  const { code, stdout, stderr } = await simulatorCli('verify', '--ledger', ledgerDir, '--data', dataDir, '--json');
  expect({ code, stdout }).toEqual({ code: 78, stdout: [] });
  expect(stderr).toEqual([expect.stringMatching(line)]);
});

test('verdicts of stations add up', async () => {
  const truth = await storeTruth();
  truth.plant(`DELETE FROM event WHERE epoch = ${inFleet} AND seq = 3`, `DELETE FROM event WHERE ${visit}`);
  const { result } = await verifyStored(truth);
  const summed = emptyVerdict().lost;
  for (const { lost } of Object.values(result.byStation)) {
    for (const field of Object.keys(summed) as (keyof typeof summed)[]) summed[field] += lost[field];
  }
  expect(result.total.lost).toEqual(summed);
  expect(summed).toMatchObject({ in: 1, events: 2 });
});
