import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { SerialPort } from 'serialport';

/** Where a board's bytes come from: any tty path, or a serial server as `tcp://host:port`. */
export type BoardAddress = {
  port: string;
  baud: number;
  dataBits: 5 | 6 | 7 | 8;
  parity: 'none' | 'even' | 'odd' | 'mark' | 'space';
  stopBits: 1 | 1.5 | 2;
};

/** An open wire: `bytes` says `close` when it is gone; `hangUp` lets go of it from this side. */
export type Wire = { bytes: Readable; hangUp: (done: () => void) => void };

const tcpTimeoutMs = 10_000;

export type TcpTarget = { host: string; port: number };

/** @returns null where the address is not `tcp://host:port` */
export function parseTcpAddress(address: string): TcpTarget | null {
  const parts = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^:/[\]]+):(\d{1,5})$/.exec(address);
  const port = Number(parts?.[2]);
  if (!parts?.[1] || port < 1 || port > 65_535) return null;
  return { host: parts[1].replace(/^\[|\]$/g, ''), port };
}

/**
 * Opens the wire of a board: injected, so that a simulated one can be under the same driver.
 *
 * @throws Error with the system's reason (no such file, permission, refused) in its message
 */
export type OpenWire = (address: BoardAddress, signal: AbortSignal) => Promise<Wire>;

export const openWire: OpenWire = (address, signal) => {
  const tcp = parseTcpAddress(address.port);
  return tcp ? openTcp(tcp, signal) : openSerial(address);
};

function openTcp({ host, port }: TcpTarget, signal: AbortSignal): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  const socket = connect({ host, port, keepAlive: true, noDelay: true });
  const abort = (): void => void socket.destroy(new Error('stopped'));
  signal.addEventListener('abort', abort, { once: true });
  socket.setTimeout(tcpTimeoutMs, () =>
    socket.destroy(new Error(`no connection to ${host}:${port} within ${tcpTimeoutMs / 1000} s`)),
  );
  socket.once('connect', () => {
    socket.setTimeout(0);
    signal.removeEventListener('abort', abort);
    socket.off('error', reject);
    resolve({ bytes: socket, hangUp: (done) => void socket.once('close', done).destroy() });
  });
  socket.once('error', reject);
  socket.once('close', () => signal.removeEventListener('abort', abort));
  return promise;
}

function openSerial({ port, baud, dataBits, parity, stopBits }: BoardAddress): Promise<Wire> {
  const { promise, resolve, reject } = Promise.withResolvers<Wire>();
  const serial = new SerialPort({ path: port, baudRate: baud, dataBits, parity, stopBits, autoOpen: false });
  // Its `destroy` leaves the descriptor open; `close` also calls back where the port is gone already.
  const wire: Wire = { bytes: serial, hangUp: (done) => serial.close(done) };
  serial.open((error) => {
    if (error) return reject(error);
    // What the system kept from before is as old as nobody knows.
    serial.flush(() => resolve(wire));
  });
  return promise;
}
