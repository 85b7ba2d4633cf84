import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export type Pty = {
  /** The end that an agent opens as its port. */
  path: string;
  /** Writes to the board's end; nobody hears it while the cable is pulled. */
  write: (bytes: string | Buffer) => Promise<void>;
  /** The cable is pulled. */
  unplug: () => Promise<void>;
  plugIn: () => Promise<void>;
  /** Bytes that have arrived at either end since it was plugged in, read or not. */
  carried: () => number;
};

/** A pair of pseudo-terminals by socat, ended with the test. */
export async function openPty(): Promise<Pty> {
  const directory = tempDir();
  const path = join(directory, 'tty');
  const board = join(directory, 'board');
  let socat: ChildProcess = spawn('true');
  let file: Awaited<ReturnType<typeof open>> | null = null;
  let writing: Promise<unknown> = Promise.resolve();
  async function plugIn(): Promise<void> {
    socat = spawn('socat', [`pty,raw,echo=0,link=${path}`, `pty,raw,echo=0,link=${board}`], { stdio: 'ignore' });
    await waitFor('socat', () => existsSync(path) && existsSync(board));
    file = await open(board, 'r+');
  }
  async function unplug(): Promise<void> {
    await file?.close();
    file = null;
    if (socat.exitCode !== null || socat.signalCode !== null) return;
    const exited = new Promise((resolve) => socat.once('exit', resolve));
    socat.kill('SIGTERM');
    await exited;
  }
  await plugIn();
  onTestFinished(unplug);
  return {
    path,
    plugIn,
    unplug,
    carried: () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${socat.pid}/io`, 'utf8'))?.[1]),
    // One after the other: the system may otherwise turn the order of two writes round.
    async write(bytes) {
      const before = writing;
      writing = before.then(() => file?.write(Buffer.from(bytes as string, 'latin1'))).catch(() => {});
      await writing;
    },
  };
}
