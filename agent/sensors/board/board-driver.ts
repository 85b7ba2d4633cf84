import { ReadlineParser } from '@serialport/parser-readline';
import type { BackoffConfig } from '../../core/backoff.ts';
import type { Driver, DriverIo } from '../driver.ts';
import { reopenForever } from '../reopen.ts';
import type { BoardAddress, OpenWire, Wire } from './address.ts';
import { type BoardNames, decodeLine, type LineHistory } from './decode.ts';
import { LineCap } from './line-cap.ts';

export type BoardDriverConfig = BoardAddress &
  BoardNames & {
    name: string;
    /** Without a byte for this long the wire is closed and opened again, ms. */
    readSilenceMs: number;
    backoff: BackoffConfig & { stableMs: number };
  };

/** The project's own sensor board on a tty or behind a serial server (protocol README §1). */
export function startBoardDriver(config: BoardDriverConfig, openWire: OpenWire, io: DriverIo): Driver {
  const stopping = new AbortController();
  let history: LineHistory = {};
  const hear = (line: string): void => {
    const decoded = decodeLine(history, line, io.clock.monotonicMs(), config.name, config);
    history = decoded.history;
    for (const event of decoded.events) io.emit(event);
  };
  const running = reopenForever(
    (signal) => readBoard(config, openWire, hear, io, signal),
    (reason) => io.emit({ type: 'closed', reason }),
    io,
    config.backoff,
    stopping.signal,
  );
  return {
    name: config.name,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** One connection, from open to close. Resolves with the reason of its end. */
async function readBoard(
  config: BoardDriverConfig,
  openWire: OpenWire,
  hear: (line: string) => void,
  io: DriverIo,
  signal: AbortSignal,
): Promise<string> {
  const wire = await openWire(config, signal);
  io.emit({ type: 'opened' });
  const lines = wire.bytes.pipe(new LineCap()).pipe(new ReadlineParser({ delimiter: '\n', encoding: 'latin1' }));
  lines.on('data', hear);
  return wireEnd(wire, config.readSilenceMs, io, signal);
}

/** Resolves when the wire closes, fails, stays silent for too long, or the driver stops. */
function wireEnd(wire: Wire, readSilenceMs: number, io: DriverIo, signal: AbortSignal): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let why = 'closed by the other side';
  let heardMs = io.clock.monotonicMs();
  let cancel = io.clock.after(readSilenceMs, watch);
  // An unplugged port may not say `close` until something is written: silence is the only sign.
  function watch(): void {
    const quietMs = io.clock.monotonicMs() - heardMs;
    if (quietMs >= readSilenceMs) return hangUp(`no byte for ${Math.round(readSilenceMs / 1000)} s`);
    cancel = io.clock.after(readSilenceMs - quietMs, watch);
  }
  function hangUp(reason: string): void {
    why = reason;
    wire.hangUp(ended);
  }
  function ended(): void {
    cancel();
    signal.removeEventListener('abort', stop);
    resolve(why);
  }
  const stop = (): void => hangUp('stopped');
  wire.bytes.on('data', () => {
    heardMs = io.clock.monotonicMs();
  });
  wire.bytes.on('error', (error) => hangUp(error.message));
  wire.bytes.once('close', ended);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return promise;
}
