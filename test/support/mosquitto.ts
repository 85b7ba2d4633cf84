import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export type Mosquitto = {
  url: string;
  port: number;
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  start: () => Promise<void>;
};

/** Debian's mosquitto on a port of its own, ended with the test. */
export async function startMosquitto(
  options: { password?: (directory: string) => string[]; port?: number } = {},
): Promise<Mosquitto> {
  const directory = tempDir();
  const port = options.port ?? (await freePort());
  const config = join(directory, 'mosquitto.conf');
  const access = options.password?.(directory) ?? ['allow_anonymous true'];
  writeFileSync(config, [`listener ${port} 127.0.0.1`, 'persistence false', 'user root', ...access, ''].join('\n'));
  let child: ChildProcess = spawn('true');
  let output = '';
  async function start(): Promise<void> {
    child = spawn('mosquitto', ['-c', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    });
    child.stderr?.on('data', (text) => (output += String(text)));
    await waitFor(`mosquitto (${output})`, () => /mosquitto version .* running/.test(output));
  }
  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    output = '';
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }
  await start();
  onTestFinished(() => stop());
  return { url: `mqtt://127.0.0.1:${port}`, port, stop, start };
}

/** A port that was free a moment ago, for programs that cannot choose one themselves. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
