import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Pino JSON on stdout; readable lines when stdout is a terminal. */
export async function createLog(name: string, level: string): Promise<Logger> {
  const options = { name, level, base: { pid: process.pid } };
  if (!process.stdout.isTTY) return pino(options, pino.destination({ dest: 1, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ sync: true, ignore: 'pid', translateTime: 'SYS:HH:MM:ss' }));
}
