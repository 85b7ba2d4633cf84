import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Logger } from '../../protocol/host/log.ts';

export type LogLine = { level: number; msg: string } & Record<string, unknown>;

/** A real logger whose lines stay in memory. */
export function memoryLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { log: pino({ level: 'trace' }, sink), lines };
}
