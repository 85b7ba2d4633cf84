import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type RunningAedes, startAedes, startTcp } from '../../support/aedes.ts';

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

/** A local broker that can go away and come back; devices and tests publish at it. */
export async function openBroker(login?: { username: string; password: string }) {
  const heard: { topic: string; payload: string }[] = [];
  async function begin(port?: number): Promise<RunningAedes> {
    const running = await startAedes({
      authenticate: (_client, username, password, done) =>
        done(null, !login || (username === login.username && String(password) === login.password)),
      ...(port === undefined ? {} : { port }),
    });
    running.aedes.on('publish', ({ topic, payload }, client) => {
      if (client) heard.push({ topic, payload: String(payload) });
    });
    return running;
  }
  let broker = await begin();
  return {
    url: broker.url,
    /** What clients published. */
    heard,
    held: () => broker.sockets.size,
    say: ({ topic, payload, retain = false }: Message): Promise<void> =>
      new Promise((resolve) => {
        const message = { topic, payload: Buffer.from(payload), qos: 0, retain, dup: false } as const;
        broker.aedes.publish({ cmd: 'publish', ...message }, () => resolve());
      }),
    unplug: () => broker.stop(),
    async plugIn() {
      broker = await begin(broker.port);
    },
  };
}

/** A broker's port where connections are taken and nothing is ever answered. */
export async function openMute(): Promise<string> {
  return (await startTcp((socket) => socket.resume())).url;
}
