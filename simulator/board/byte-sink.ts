import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { sleep, systemClock } from '../../protocol/host/clock.ts';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';

/** What nobody reads is lost beyond this, as a UART would lose it. */
const maxUnreadBytes = 16 * 1024;
/** A listener that does not read does not keep the board from ending. */
const lingerMs = 1000;

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
  /** What was written still arrives: the ledger counts it as told. */
  function pullOut(): void {
    pluggedIn = false;
    for (const socket of sockets) socket.destroySoon();
  }
  const bound = server.address();
  return {
    address: `tcp://${host}:${typeof bound === 'object' && bound ? bound.port : port}`,
    listened: () => sockets.size > 0,
    write(bytes) {
      if (!pluggedIn) return false;
      const reading = [...sockets].filter((socket) => socket.writableLength <= maxUnreadBytes);
      for (const socket of reading) socket.write(bytes);
      return reading.length > 0;
    },
    unplug(forMs) {
      pullOut();
      setTimeout(() => (pluggedIn = true), forMs).unref();
    },
    async [Symbol.asyncDispose]() {
      pullOut();
      const late = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, lingerMs);
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(late);
    },
  };
}

/**
 * A board on a pseudo-terminal, made by socat: `link` is the tty that an agent opens. Nothing is
 * written before someone opens it; when that reader goes, the tty is made anew for the next one.
 *
 * @throws CommandError where socat is missing, or cannot make it
 */
export async function openPtySink(link: string): Promise<ByteSink> {
  let socat: ChildProcess | null = null;
  let wire: Writable | null = null;
  let ended = false;
  async function plugIn(): Promise<void> {
    if (socat || ended) return;
    const tty = `pty,raw,echo=0,link=${link},wait-slave,pty-interval=0.1`;
    const child = spawn('socat', ['-d', '-d', tty, '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    socat = child;
    child.stdin.on('error', () => {});
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes('starting data transfer') && socat === child) wire = child.stdin;
    });
    await linkOf(child, link);
    child.once('exit', () => {
      if (socat !== child) return;
      socat = wire = null;
      void plugIn().catch(() => {});
    });
  }
  async function pullOut(): Promise<void> {
    const child = socat;
    const told = wire;
    socat = wire = null;
    if (!child || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    // What was written still arrives: socat ends by itself once it has passed it on.
    if (told) told.end();
    const late = setTimeout(() => child.kill('SIGTERM'), told ? lingerMs : 0);
    await exited;
    clearTimeout(late);
  }
  await plugIn();
  return {
    address: link,
    listened: () => wire !== null,
    write(bytes) {
      if (!wire || wire.writableLength > maxUnreadBytes) return false;
      wire.write(bytes);
      return true;
    },
    unplug(forMs) {
      void pullOut().then(() => setTimeout(() => void plugIn().catch(() => {}), forMs).unref());
    },
    [Symbol.asyncDispose]() {
      ended = true;
      return pullOut();
    },
  };
}

/** Resolves once socat has made its tty. */
async function linkOf(socat: ChildProcess, link: string): Promise<void> {
  const over = new AbortController();
  const failed = new Promise<never>((_, reject) => {
    const refuse = (why: string): void => reject(new CommandError(why, exitCodes.unavailable));
    socat.once('error', () => refuse('socat is not installed: apt-get install socat, or use --tcp'));
    socat.once('exit', () => refuse(`${link}: expected a path where socat can make a tty`));
  });
  try {
    await Promise.race([appears(link, over.signal), failed]);
  } finally {
    over.abort();
  }
}

async function appears(path: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !existsSync(path)) await sleep(systemClock, 10, signal);
}
