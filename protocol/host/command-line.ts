import { type Command, CommanderError } from 'commander';
import { ConfigError } from './config-error.ts';
import { exitCodes } from './exit-codes.ts';
import { LinkError } from './session.ts';
import { StoreError } from './sqlite.ts';

/** The process around a command: only a `main.ts` knows the real one. */
export type Host = {
  env: Readonly<Record<string, string | undefined>>;
  /** One line on stdout. */
  print: (line: string) => void;
  /** One line on stderr. */
  complain: (line: string) => void;
  onSignal: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', handler: () => void) => void;
  /** The time for a clean end is over: leave with this code. */
  exit: (code: number) => void;
};

/** A mistake that is no configuration: shown as one line, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Runs a command line and returns its exit code; a person's mistake gives lines, never a stack. */
export async function runCommandLine(program: Command, argv: readonly string[], host: Host): Promise<number> {
  for (const command of [program, ...program.commands.flatMap((child) => [child, ...child.commands])]) {
    command
      .exitOverride()
      .configureOutput({
        writeOut: (text) => host.print(text.trimEnd()),
        writeErr: (text) => host.complain(text.trimEnd()),
      });
  }
  try {
    await program.parseAsync([...argv]);
    return exitCodes.ok;
  } catch (error) {
    return explain(error, host);
  }
}

function explain(error: unknown, host: Host): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof ConfigError) {
    host.complain(error.report);
    return exitCodes.config;
  }
  if (error instanceof CommandError) {
    host.complain(error.message);
    return error.exitCode;
  }
  if (error instanceof LinkError) {
    host.complain(error.message);
    return exitCodes.unavailable;
  }
  if (error instanceof StoreError) {
    host.complain(error.message);
    return exitCodes.ioError;
  }
  host.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return exitCodes.failed;
}

/** A whole number option of commander within bounds. */
export function integerOption(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new CommandError(
      `${name}: expected a whole number from ${min} to ${max}, found ${JSON.stringify(text)}`,
      exitCodes.usage,
    );
  };
}
