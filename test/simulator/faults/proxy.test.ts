import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startProxy, type TcpProxy } from '../../../simulator/faults/proxy.ts';
import { waitFor } from '../../support/wait.ts';

async function echoBehindProxy(received: (text: string) => void = () => {}): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('data', (bytes) => received(String(bytes))).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const proxy = await startProxy({
    host: '127.0.0.1',
    port: typeof address === 'object' && address ? address.port : 0,
  });
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return proxy;
}

function client(port: number): { socket: Socket; heard: () => string; closed: () => boolean } {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (bytes) => (text += String(bytes)));
  return { socket, heard: () => text, closed: () => socket.destroyed };
}

test('carries both ways, ends every connection when it is cut, refuses until it is mended', async () => {
  const proxy = await echoBehindProxy();
  const first = client(proxy.port);
  first.socket.write('hello');
  await waitFor('the echo', () => first.heard() === 'hello');
  proxy.cut();
  await waitFor('the cut', first.closed);
  const refused = client(proxy.port);
  refused.socket.write('nobody');
  await waitFor('the refusal', refused.closed);
  expect(refused.heard()).toBe('');
  proxy.mend();
  const second = client(proxy.port);
  second.socket.write('again');
  await waitFor('the echo', () => second.heard() === 'again');
});

test('what is said still arrives while the answers are held, and they come once it is mended', async () => {
  let received = '';
  const proxy = await echoBehindProxy((text) => (received += text));
  const { socket, heard, closed } = client(proxy.port);
  socket.write('one ');
  await waitFor('the echo', () => heard() === 'one ');
  proxy.holdAnswers();
  const second = client(proxy.port);
  for (const one of [socket, second.socket]) one.write('two');
  // The other side answers in the same turn in which it receives.
  await waitFor('both to arrive', () => received === 'one twotwo');
  expect([heard(), second.heard(), closed()]).toEqual(['one ', '', false]);
  proxy.mend();
  await waitFor('the echoes', () => heard() === 'one two' && second.heard() === 'two');
});
