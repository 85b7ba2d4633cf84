import type { Command, Reply } from '../../protocol/messages.ts';
import type { Outbox } from '../outbox/outbox.ts';

/** What a command does; throws where it fails. None opens a door (protocol README §3, rule 14). */
export type CommandHandler = (args: Readonly<Record<string, unknown>>) => Promise<unknown>;

export type CommandRun = { reply: Omit<Reply, 'v'>; ran: boolean };

/**
 * Runs a command at most once: its id is durable before it runs, its reply after it. A repeated
 * command gets the stored reply; one that the power cut off gets an error and is not run again.
 *
 * @param wallMs trusted time; null where there is none, and then nothing runs
 */
export async function runCommand(
  command: Command,
  handlers: Readonly<Record<string, CommandHandler>>,
  outbox: Outbox,
  wallMs: number | null,
): Promise<CommandRun> {
  const { id, expires, name, args } = command;
  const refuse = (error: string): CommandRun => ({ reply: { id, ok: false, error }, ran: false });
  if (wallMs === null) return refuse('the clock is not set: whether the command expired cannot be told');
  if (expires <= wallMs) return refuse(`expired ${Math.ceil((wallMs - expires) / 1000)} s ago`);
  const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
  if (!handler) return refuse(`unknown command ${name}: expected ${Object.keys(handlers).join(', ')}`);
  if (!outbox.durable) return refuse('no storage: whether it ran before cannot be told');
  const known = await outbox.beginCommand(id, expires);
  if (known.kind === 'answered') return { reply: { ...JSON.parse(known.reply), id }, ran: false };
  if (known.kind === 'interrupted')
    return refuse('interrupted: it began before a restart, and whether it ended is not known');
  const reply = await attempt(id, () => handler(args));
  await outbox.endCommand(id, JSON.stringify(reply));
  return { reply, ran: true };
}

async function attempt(id: string, run: () => Promise<unknown>): Promise<Omit<Reply, 'v'>> {
  try {
    return { id, ok: true, result: (await run()) ?? null };
  } catch (error) {
    return { id, ok: false, error: error instanceof Error ? error.message.slice(0, 400) : String(error).slice(0, 400) };
  }
}
