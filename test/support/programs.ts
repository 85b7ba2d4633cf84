import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { waitFor } from './wait.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export type Program = {
  child: ChildProcess;
  stdout: string[];
  stderr: string[];
  /** Resolves with the exit code, or 128 where a signal ended it. */
  exited: Promise<number>;
  kill: (signal: NodeJS.Signals) => Promise<number>;
};

/** Starts a program of the house as its users do; it is killed with the test if it still runs. */
export function startProgram(
  name: 'agent' | 'cloud' | 'simulator',
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Program {
  const child = spawn(process.execPath, [join(root, name, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const stdout = linesOf(child.stdout);
  const stderr = linesOf(child.stderr);
  const exited = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 128)));
  const program: Program = {
    child,
    stdout,
    stderr,
    exited,
    kill(signal) {
      child.kill(signal);
      return exited;
    },
  };
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // A simulator has programs of its own to end.
    const late = setTimeout(() => child.kill('SIGKILL'), name === 'simulator' ? 10_000 : 0);
    await program.kill('SIGTERM');
    clearTimeout(late);
  });
  return program;
}

/** Runs a program to its end. */
export async function runProgram(
  name: 'agent' | 'cloud' | 'simulator',
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = startProgram(name, args);
  const code = await program.exited;
  return { code, stdout: program.stdout.join('\n'), stderr: program.stderr.join('\n') };
}

/** The first JSON line of the log with this message. */
export function logged(program: Program, message: string, timeoutMs?: number): Promise<Record<string, unknown>> {
  return waitFor(
    `"${message}" in the log`,
    () => {
      const line = program.stdout.find((text) => text.includes(message));
      if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
      if (program.child.exitCode === null) return null;
      const last = [...program.stderr, ...program.stdout].slice(-5).join('\n');
      throw new Error(`ended with ${program.child.exitCode}: ${last}`);
    },
    timeoutMs,
  );
}

export type RunningCloud = Program & { http: string; mqttPort: number };

/** A cloud on ports of its own; `args` may name an external broker. */
export async function startCloudProgram(
  dataDir: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningCloud> {
  const ports = ['--http-port', '0', '--mqtt-port', '0'];
  const program = startProgram('cloud', ['serve', '--data', dataDir, ...ports, ...args], env);
  const { http, mqtt } = await logged(program, 'cloud started');
  return { ...program, http: `http://127.0.0.1:${http}`, mqttPort: Number(mqtt ?? 0) };
}

export type Login = { id: string; username: string; password: string };

export async function addStation(dataDir: string, id: string, extra: readonly string[] = []): Promise<Login> {
  const position = ['--name', `${id}驿站`, '--region', '341002', '--lat', '29.714', '--lng', '118.316'];
  const { code, stdout, stderr } = await runProgram('cloud', [
    'station',
    'add',
    '--id',
    id,
    ...position,
    '--data',
    dataDir,
    '--json',
    ...extra,
  ]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function linesOf(stream: NodeJS.ReadableStream | null): string[] {
  const lines: string[] = [];
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return lines;
}
