import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startProgram } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { readMetric } from './feed.ts';
import { mortalCloud, patientMs, verified } from './rig.ts';

const stations = 50;

test('a fleet that loses its uplinks, and its cloud, loses no event', { timeout: 180_000 }, async () => {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const ledger = join(directory, 'ledger');
  const cloud = await mortalCloud(cloudData);
  const metric = (name: string): Promise<number> => readMetric(cloud.running().http, name);
  const world = ['--stations', String(stations), '--speed', '1440', '--visits', '200', '--interval', '5'];
  const cuts = ['--cut-uplink-every', '8', '--cut-uplink-for', '1', '--minutes', '0.4'];
  const where = ['--cloud', `mqtt://127.0.0.1:${cloud.running().mqttPort}`, '--data', cloudData, '--ledger', ledger];
  const fleet = startProgram('simulator', ['fleet', ...where, ...world, ...cuts, '--json']);
  const busy = async (): Promise<boolean> => (await metric('yizhan_ingest_stored_total')) > 500;
  await waitFor('a busy fleet', busy, patientMs);
  await cloud.killAndRestart();
  await waitFor('a busy fleet', busy, patientMs);

  expect(await fleet.exited, fleet.stderr.join('\n')).toBe(0);
  const counts: Record<string, number> = JSON.parse(fleet.stdout.at(-1) ?? '');
  expect(counts).toMatchObject({ stations, drained: true, acked: counts['events'] });
  expect(counts['cuts']).toBeGreaterThan(stations / 2);
  const { total, stations: known } = await verified(ledger, cloudData);
  expect({ known, events: total.events }).toEqual({ known: stations, events: counts['events'] });
});
