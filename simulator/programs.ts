import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError } from '../protocol/host/command-line.ts';
import type { SimulatedStation } from './core/presets.ts';

export type Login = { id: string; username: string; password: string };

/** The agent's and the cloud's programs: the simulator runs them as any user would. */
export const agentMain = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
export const cloudMain = fileURLToPath(new URL('../cloud/main.ts', import.meta.url));

export type Running = { child: ChildProcess; exited: Promise<number> };

/** Starts a program of the house in the background; its output goes to `onLine`, a line at a time. */
export function startProgram(
  main: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void,
): Running {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
  }
  const exited = new Promise<number>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 128 : 1))),
  );
  return { child, exited };
}

/**
 * Puts stations into a cloud's register by its own `station import`. Those that are there already
 * keep their password, which nobody knows any more.
 *
 * @throws CommandError where the import fails
 */
export async function registerStations(
  dataDir: string,
  stations: readonly SimulatedStation[],
  env: NodeJS.ProcessEnv,
): Promise<Login[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'yizhan-register-'));
  try {
    const file = join(scratch, 'stations.csv');
    const logins = join(scratch, 'logins.csv');
    const rows = stations.map(
      ({ id, name, region, lat, lng, capacity }) => `${id},${name},${region},${lat},${lng},wgs84,${capacity}\n`,
    );
    writeFileSync(file, `id,name,region,lat,lng,datum,capacity\n${rows.join('')}`);
    const output: string[] = [];
    const { exited } = startProgram(
      cloudMain,
      ['station', 'import', file, '--credentials', logins, '--data', dataDir],
      env,
      (line) => output.push(line),
    );
    if ((await exited) !== 0) throw new CommandError(`station import failed: ${output.join('; ')}`);
    return readFileSync(logins, 'utf8')
      .split('\n')
      .slice(1)
      .filter((line) => line !== '')
      .map((line) => {
        const [id = '', username = '', password = ''] = line.split(',');
        return { id, username, password };
      });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
