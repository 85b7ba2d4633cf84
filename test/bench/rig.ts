import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Figure = {
  name: string;
  value: number;
  unit: string;
  /** What the figure is compared with in the same run. */
  baseline?: { name: string; value: number };
  ratio?: number;
  /** The figure's own goal: `ratio >= 1`, say. Missing where it is only told. */
  goal?: { text: string; met: boolean };
};

export type Bench = { name: string; what: string; run: (rig: Rig) => Promise<Figure[]> };

/** What a bench works with; everything it opens is closed when it ends. */
export type Rig = AsyncDisposable & {
  directory: string;
  progress: (line: string) => void;
  option: (name: string, fallback: number) => number;
  /** Starts a part in a process of its own. */
  fork: (part: string, execArgv?: readonly string[]) => ChildProcess;
  program: (name: 'agent' | 'cloud', args: readonly string[], env?: NodeJS.ProcessEnv) => BenchProgram;
  mosquitto: () => Promise<{ port: number; url: string; pid: number }>;
  defer: (end: () => void | Promise<void>) => void;
};

export type BenchProgram = {
  child: ChildProcess;
  started: (message: string) => Promise<Record<string, unknown>>;
  end: (signal?: NodeJS.Signals) => Promise<void>;
};

const root = fileURLToPath(new URL('../..', import.meta.url));

export function createRig(progress: (line: string) => void, option: Rig['option']): Rig {
  const directory = mkdtempSync(join(tmpdir(), 'yizhan-bench-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  return {
    directory,
    progress,
    option,
    defer: (end) => stack.defer(end),
    fork(part, execArgv = []) {
      const child = fork(join(root, 'test/bench/parts', part), { execArgv: [...execArgv] });
      stack.defer(() => end(child, 'SIGKILL'));
      return child;
    },
    program(name, args, env = {}) {
      const child = spawn(process.execPath, [join(root, name, 'main.ts'), ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, ...env },
      });
      stack.defer(() => end(child, 'SIGKILL'));
      return { child, started: (message) => logLine(child, message), end: (signal = 'SIGTERM') => end(child, signal) };
    },
    async mosquitto() {
      const port = await freePort();
      // By default it drops what a subscriber does not take at once: then it would only look fast.
      const config = join(directory, `mosquitto-${port}.conf`);
      const settings = [
        'allow_anonymous true',
        'max_queued_messages 0',
        'max_inflight_messages 1000',
        'set_tcp_nodelay true',
      ];
      writeFileSync(config, [`listener ${port} 127.0.0.1`, ...settings, ''].join('\n'));
      const child = spawn('mosquitto', ['-c', config], {
        stdio: 'ignore',
        env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
      });
      stack.defer(() => end(child, 'SIGTERM'));
      await answers(port);
      return { port, url: `mqtt://127.0.0.1:${port}`, pid: child.pid ?? 0 };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** One message of a child process. */
export function messageOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`a part of the bench ended with ${code}`)));
  });
}

export function ratioFigure(
  name: string,
  unit: string,
  value: number,
  baseline: { name: string; value: number },
  least: number,
): Figure {
  const ratio = value / baseline.value;
  return { name, unit, value, baseline, ratio, goal: { text: `≥ ${least} × ${baseline.name}`, met: ratio >= least } };
}

async function logLine(child: ChildProcess, message: string): Promise<Record<string, unknown>> {
  let rest = '';
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.includes(message)) resolve(JSON.parse(line));
    });
    child.once('exit', (code) => reject(new Error(`a program ended with ${code} before "${message}"`)));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function answers(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
