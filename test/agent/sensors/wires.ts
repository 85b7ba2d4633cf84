import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { onTestFinished } from 'vitest';

/** A TCP server that can go away and come back at its port. */
export async function openServer(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let server: Server;
  let port = 0;
  async function listen(): Promise<void> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
      serve(socket);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    port = typeof address === 'object' && address ? address.port : port;
  }
  async function close(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }
  await listen();
  onTestFinished(close);
  return { sockets, listen, close, port: () => port };
}

/** A port whose queue of connections is full and never emptied: the next one neither succeeds nor fails. */
export async function openDeaf(): Promise<string> {
  const program = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  })`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  const queue = Array.from({ length: 4 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
  onTestFinished(() => queue.forEach((socket) => void socket.destroy()));
  await Promise.all(queue.slice(0, 2).map((socket) => once(socket, 'connect')));
  return `tcp://127.0.0.1:${port}`;
}

export type Message = { topic: string; payload: string; retain?: boolean };

/** A local broker by aedes, which devices and tests publish at. */
export async function openBroker(login?: { username: string; password: string }) {
  const create = () =>
    Aedes.createBroker({
      authenticate: (_client, username, password, done) =>
        done(null, !login || (username === login.username && String(password) === login.password)),
    });
  let broker = await create();
  const heard: { topic: string; payload: string }[] = [];
  const server = await openServer((socket) => void broker.handle(socket));
  async function begin(): Promise<void> {
    broker = await create();
    await server.listen();
    listen();
  }
  function listen(): void {
    broker.on('publish', ({ topic, payload }, client) => {
      if (client) heard.push({ topic, payload: String(payload) });
    });
    broker.on('clientError', () => {});
    broker.on('connectionError', () => {});
  }
  async function end(): Promise<void> {
    await server.close();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
  }
  listen();
  onTestFinished(end);
  return {
    url: () => `mqtt://127.0.0.1:${server.port()}`,
    /** What clients published. */
    heard,
    held: () => server.sockets.size,
    say: ({ topic, payload, retain = false }: Message): Promise<void> =>
      new Promise((resolve) => {
        broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, retain, dup: false }, () =>
          resolve(),
        );
      }),
    unplug: end,
    plugIn: begin,
  };
}

/** A broker's port where connections are taken and nothing is ever answered. */
export async function openMute(): Promise<string> {
  const server = await openServer((socket) => socket.resume());
  return `mqtt://127.0.0.1:${server.port()}`;
}
