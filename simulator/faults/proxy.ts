import { connect, createServer, type Socket } from 'node:net';

/** A TCP way from here to there that can be cut: an uplink as stations have it. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection and refuses new ones until `mend`. */
  cut(): void;
  /** Only what comes back from there waits until `mend`: what is said arrives, its answers do not. */
  holdAnswers(): void;
  mend(): void;
}

type Pair = { near: Socket; far: Socket };

export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let open = true;
  let answering = true;
  const server = createServer((near) => {
    near.on('error', () => {});
    if (!open) return void near.destroy();
    const far = connect(target);
    const pair = { near, far };
    pairs.add(pair);
    far.on('error', () => near.destroy());
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.once('close', () => end(pair));
    }
    near.pipe(far);
    if (answering) far.pipe(near);
  });
  function end(pair: Pair): void {
    pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }
  function cut(): void {
    open = false;
    for (const pair of pairs) end(pair);
  }
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    cut,
    holdAnswers() {
      answering = false;
      for (const { near, far } of pairs) far.unpipe(near).pause();
    },
    mend() {
      open = true;
      answering = true;
      for (const { near, far } of pairs) far.unpipe(near).pipe(near);
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
