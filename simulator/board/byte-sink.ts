import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, type WriteStream } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';

const maxUnreadBytes = 16 * 1024;

/** The other end of a board's wire. */
export interface ByteSink extends AsyncDisposable {
  /** Where an agent finds it: a tty path, or `tcp://host:port`. */
  readonly address: string;
  /** Someone listens, as far as this wire can tell. */
  listened(): boolean;
  /** @returns whether anyone heard it */
  write(bytes: Buffer): boolean;
  /** The plug is pulled, and put back after this time. */
  unplug(forMs: number): void;
}

/**
 * A board behind a serial server: any number of listeners.
 *
 * @throws CommandError where the port is taken
 */
export async function openTcpSink(host: string, port: number): Promise<ByteSink> {
  const sockets = new Set<Socket>();
  let pluggedIn = true;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (!pluggedIn) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new CommandError(`${host}:${port}: ${error.message}`, exitCodes.unavailable)),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    address: `tcp://${host}:${typeof bound === 'object' && bound ? bound.port : port}`,
    listened: () => sockets.size > 0,
    write(bytes) {
      for (const socket of sockets) socket.write(bytes);
      return sockets.size > 0;
    },
    unplug(forMs) {
      pluggedIn = false;
      // What was written still arrives: the ledger counts it as told.
      for (const socket of sockets) socket.destroySoon();
      setTimeout(() => (pluggedIn = true), forMs).unref();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * A board on a pseudo-terminal, made by socat: `link` is the tty that an agent opens.
 *
 * @throws CommandError where socat is missing
 */
export async function openPtySink(link: string): Promise<ByteSink> {
  const boardEnd = `${link}.board`;
  let socat: ChildProcess | null = null;
  let out: WriteStream | null = null;
  async function plugIn(): Promise<void> {
    socat = spawn('socat', [`pty,raw,echo=0,link=${link}`, `pty,raw,echo=0,link=${boardEnd}`], { stdio: 'ignore' });
    const failed = new Promise<never>((_, reject) => {
      socat?.once('error', () =>
        reject(new CommandError('socat is not installed: apt-get install socat, or use --tcp', exitCodes.unavailable)),
      );
    });
    await Promise.race([appears(boardEnd), failed]);
    out = createWriteStream(boardEnd, { flags: 'r+' });
    out.on('error', () => {});
  }
  async function unplug(): Promise<void> {
    out?.destroy();
    out = null;
    const ending = socat;
    socat = null;
    if (!ending || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGTERM');
    await ended;
  }
  await plugIn();
  return {
    address: link,
    // A tty does not tell whether someone has it open.
    listened: () => true,
    write(bytes) {
      // Nobody reads and the tty is full: a UART would lose the bytes too.
      if (!out || out.writableLength > maxUnreadBytes) return false;
      out.write(bytes);
      return true;
    },
    unplug(forMs) {
      void unplug().then(() => setTimeout(() => void plugIn().catch(() => {}), forMs).unref());
    },
    [Symbol.asyncDispose]: unplug,
  };
}

async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
}
