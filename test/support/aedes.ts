import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AedesOptions } from 'aedes';
import { onTestFinished } from 'vitest';

export type RunningAedes = {
  url: string;
  port: number;
  aedes: Aedes;
  /** Connections at this moment. */
  sockets: ReadonlySet<Socket>;
  stop: () => Promise<void>;
};

/** The embedded broker's library on a port of its own or the one given, with TLS where there is a certificate; ended with the test. */
export async function startAedes(
  options: AedesOptions & { tls?: { key: string; cert: string }; port?: number } = {},
): Promise<RunningAedes> {
  const { tls, port: wanted, ...aedesOptions } = options;
  const aedes = await Aedes.createBroker(aedesOptions);
  // Broken connections are what the tests make; without a listener they would end the process.
  aedes.on('clientError', () => {});
  aedes.on('connectionError', () => {});
  const sockets = new Set<Socket>();
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    aedes.handle(socket);
  };
  const server = tls ? createTlsServer(tls, accept) : createServer(accept);
  const port = await listen(server, wanted);
  async function stop(): Promise<void> {
    server.close();
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => aedes.close(resolve));
  }
  onTestFinished(stop);
  return { url: `${tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`, port, aedes, sockets, stop };
}

/** A server that does with each connection what it is told, ended with the test: a broker that misbehaves. */
export async function startTcp(accept: (socket: Socket) => void): Promise<{ url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    accept(socket);
  });
  const port = await listen(server);
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `mqtt://127.0.0.1:${port}`, sockets };
}

function listen(server: Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}
