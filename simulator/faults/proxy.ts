import { connect, createServer, type Socket } from 'node:net';

/** A TCP way from here to there that can be cut: an uplink as stations have it. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
}

export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Socket>();
  let open = true;
  const server = createServer((near) => {
    near.on('error', () => {});
    if (!open) return void near.destroy();
    const far = connect(target);
    far.on('error', () => near.destroy());
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      pairs.add(socket);
      socket.once('close', () => {
        pairs.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    cut() {
      open = false;
      for (const socket of pairs) socket.destroy();
    },
    mend() {
      open = true;
    },
    async [Symbol.asyncDispose]() {
      open = false;
      for (const socket of pairs) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
