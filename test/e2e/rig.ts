import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { VerifyResult } from '../../simulator/verify/verify.ts';
import { freePort } from '../support/mosquitto.ts';
import { type Program, type RunningCloud, startCloudProgram, startProgram } from '../support/programs.ts';
import { simulatorCli } from '../support/simulator-cli.ts';

export const region = '341002';
export const station = 'tunxi-laojie';

/** A deadline for what waits for processes on a busy machine; nothing waits this long for nothing. */
export const patientMs = 90_000;

/** For `expect.poll`: a look costs processes that have other things to do. */
export const patiently = { timeout: patientMs, interval: 150 };

export type StationFile = { path: string; dataDir: string };

type StationFields = {
  station?: string;
  cloud: { url: string; password: string | undefined; mqttVersion?: string };
  sensors: object[];
};

/** The README's smallest station.yaml, with what a test adds to it. */
export function stationFile(
  directory: string,
  { cloud, ...more }: StationFields & Record<string, unknown>,
): StationFile {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'station.yaml');
  const { password, ...link } = cloud;
  writeFileSync(join(directory, 'password'), `${password}\n`);
  const login = { username: more.station ?? station, passwordFile: 'password', ...link };
  writeFileSync(path, stringify({ station, dataDir: 'agent', cloud: login, capacity: 12, ...more }));
  return { path, dataDir: join(directory, 'agent') };
}

export function runAgent({ path }: StationFile): Program {
  return startProgram('agent', ['run', '--config', path]);
}

/** Runs this script in a process before its program. */
export function preloaded(script: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}

/** A process whose wall clock is off by this much: it and what it tells live in another hour. */
export function wallClockOff(byMs: number): NodeJS.ProcessEnv {
  return preloaded(`const now=Date.now;Date.now=()=>now()+(${byMs})`);
}

export type MortalCloud = { running: () => RunningCloud; killAndRestart: (env?: NodeJS.ProcessEnv) => Promise<void> };

/** A cloud that comes back at its ports, with its data. */
export async function mortalCloud(dataDir: string, more: readonly string[] = []): Promise<MortalCloud> {
  const args = ['--http-port', String(await freePort()), '--mqtt-port', String(await freePort()), ...more];
  let cloud = await startCloudProgram(dataDir, args);
  return {
    running: () => cloud,
    async killAndRestart(env) {
      await cloud.kill('SIGKILL');
      cloud = await startCloudProgram(dataDir, args, env);
    },
  };
}

/** Holds the cloud's store against the truth as the README tells it to; nothing may differ. */
export async function verified(ledger: string, data: string): Promise<VerifyResult> {
  const args = ['--ledger', ledger, '--data', data, '--early', '3', '--late', '40', '--wait', '30', '--json'];
  const { code, stdout, stderr } = await simulatorCli('verify', ...args);
  expect(code, [...stdout, ...stderr].join('\n')).toBe(0);
  return JSON.parse(stdout.join('')) as VerifyResult;
}
