import type { Socket } from 'node:net';
import { FrameGuard } from './frame-guard.ts';

export type SocketLimits = { maxPreAuthBytes: number; maxFrameBytes: number };

/**
 * Bounds what a connection can make the broker collect: aedes reads with `read()` and buffers
 * whatever it gets until a frame is complete, before and after authentication. A connection that
 * goes beyond is destroyed and `refused` is told why.
 */
export function guardReads(
  socket: Socket,
  limits: SocketLimits,
  authenticated: () => boolean,
  refused: (why: string) => void,
): void {
  const frames = new FrameGuard(limits.maxFrameBytes);
  const read = socket.read.bind(socket);
  let preAuthBytes = 0;
  socket.read = (size?: number): unknown => {
    const bytes: Buffer | null = read(size);
    if (bytes === null) return null;
    if (!authenticated()) preAuthBytes += bytes.length;
    const early = preAuthBytes > limits.maxPreAuthBytes;
    if (!early && frames.pass(bytes)) return bytes;
    refused(
      early
        ? `more than ${limits.maxPreAuthBytes} bytes before the login`
        : `a frame of more than ${limits.maxFrameBytes} bytes`,
    );
    socket.destroy();
    return null;
  };
}
