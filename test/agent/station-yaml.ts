import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { tempDir } from '../support/temp-dir.ts';

/** The smallest configuration that there is, as data. */
export const smallest = {
  station: 'tunxi-laojie',
  dataDir: 'data',
  cloud: { url: 'mqtt://127.0.0.1:1', username: 'tunxi-laojie', password: 'hunter2' },
  sensors: [{ driver: 'board', port: 'tcp://127.0.0.1:1' }],
};

/** Writes a station's configuration, from text or from data, in a folder of its own. @returns its path */
export function stationYaml(content: string | object, path = join(tempDir(), 'station.yaml')): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : stringify(content));
  return path;
}
