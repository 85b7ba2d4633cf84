import { expect, test } from 'vitest';
import { type CommandHandler, runCommand } from '../../../agent/link/commands.ts';
import { noOutbox } from '../../../agent/outbox/no-outbox.ts';
import type { Command } from '../../../protocol/messages.ts';
import { startAedes } from '../../support/aedes.ts';
import { startCloudEnd } from '../../support/cloud-end.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';
import { newId, openIn, startMs } from '../outbox/rig.ts';
import { startLink, station } from './rig.ts';

const command = (change: Partial<Command> = {}): Command => ({
  v: 1,
  id: 'c1',
  expires: startMs + 60_000,
  name: 'report-now',
  args: {},
  ...change,
});

/** Handlers that note how often they ran. */
function handlers(run: CommandHandler = async () => ({ rows: 7 })): {
  ran: string[];
  known: Record<string, CommandHandler>;
} {
  const ran: string[] = [];
  return {
    ran,
    known: {
      async 'report-now'(args) {
        ran.push('report-now');
        return run(args);
      },
    },
  };
}

test('a command runs and is answered with its result', async () => {
  const outbox = await openIn(tempDir());
  const { ran, known } = handlers(async (args) => ({ heard: args['word'] }));
  expect(await runCommand(command({ args: { word: 'hi' } }), known, outbox, startMs)).toEqual({
    reply: { id: 'c1', ok: true, result: { heard: 'hi' } },
    ran: true,
  });
  expect(ran).toHaveLength(1);
});

test('a command without a result says null, one that fails says why, briefly', async () => {
  const outbox = await openIn(tempDir());
  const nothing = handlers(async () => undefined);
  expect((await runCommand(command(), nothing.known, outbox, startMs)).reply).toEqual({
    id: 'c1',
    ok: true,
    result: null,
  });
  const failing = handlers(async () => {
    throw new Error('x'.repeat(1000));
  });
  expect((await runCommand(command({ id: 'c2' }), failing.known, outbox, startMs)).reply).toEqual({
    id: 'c2',
    ok: false,
    error: 'x'.repeat(400),
  });
});

test('a repeated command gets the stored reply and does not run again, not even after a restart', async () => {
  const dataDir = tempDir();
  const { ran, known } = handlers();
  const first = await openIn(dataDir);
  await runCommand(command(), known, first, startMs);
  const again = await runCommand(command(), known, first, startMs);
  expect(again).toEqual({ reply: { id: 'c1', ok: true, result: { rows: 7 } }, ran: false });
  await first.close();
  expect(await runCommand(command(), known, await openIn(dataDir), startMs)).toEqual(again);
  expect(ran).toHaveLength(1);
});

test('a command that a restart cut off is answered with an error and does not run again', async () => {
  const dataDir = tempDir();
  const first = await openIn(dataDir);
  const { ran, known } = handlers(() => new Promise(() => {}));
  void runCommand(command(), known, first, startMs);
  await waitFor('the command to run', () => ran.length === 1);
  await first.close();
  const { reply, ran: ranAgain } = await runCommand(command(), known, await openIn(dataDir), startMs);
  expect(reply).toEqual({ id: 'c1', ok: false, error: expect.stringContaining('interrupted') });
  expect({ ran: ran.length, ranAgain }).toEqual({ ran: 1, ranAgain: false });
});

test.each([
  { what: 'expired', change: { expires: startMs }, wallMs: startMs, error: 'expired 0 s ago' },
  { what: 'expired', change: { expires: startMs - 1500 }, wallMs: startMs, error: 'expired 2 s ago' },
  {
    what: 'unknown',
    change: { name: 'open-door' },
    wallMs: startMs,
    error: 'unknown command open-door: expected report-now',
  },
  {
    what: 'named like a property of every object',
    change: { name: 'constructor' },
    wallMs: startMs,
    error: 'unknown command constructor: expected report-now',
  },
  {
    what: 'given to a station without a clock',
    change: {},
    wallMs: null,
    error: 'the clock is not set: whether the command expired cannot be told',
  },
])('a command that is $what is refused, and its id is not used up', async ({ change, wallMs, error }) => {
  const outbox = await openIn(tempDir());
  const { ran, known } = handlers();
  expect(await runCommand(command(change), known, outbox, wallMs)).toEqual({
    reply: { id: 'c1', ok: false, error },
    ran: false,
  });
  expect(ran).toEqual([]);
  expect((await runCommand(command(), known, outbox, startMs)).reply.ok).toBe(true);
});

test('the last millisecond before its expiry is still in time', async () => {
  const { known } = handlers();
  const run = await runCommand(command({ expires: startMs + 1 }), known, await openIn(tempDir()), startMs);
  expect(run.reply.ok).toBe(true);
});

test('without storage no command runs: whether it ran before cannot be told, and that is what is said', async () => {
  const { ran, known } = handlers();
  const outbox = noOutbox({ instance: newId(), newId });
  expect((await runCommand(command(), known, outbox, startMs)).reply).toEqual({
    id: 'c1',
    ok: false,
    error: 'no storage: whether it ran before cannot be told',
  });
  expect(ran).toEqual([]);
});

test('commands are forgotten once they expired, and only then', async () => {
  const outbox = await openIn(tempDir());
  await outbox.beginCommand('c1', startMs);
  await outbox.endCommand('c1', '{}');
  await outbox.forgetCommands(startMs);
  expect(await outbox.beginCommand('c1', startMs)).toEqual({ kind: 'answered', reply: '{}' });
  await outbox.forgetCommands(startMs + 1);
  expect(await outbox.beginCommand('c1', startMs)).toEqual({ kind: 'new' });
});

test('over the wire a command is answered on replies, a repeated one with the same words', async () => {
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, station);
  const rig = await startLink({ url });
  await cloud.nth('state', 1);
  await cloud.say('commands', { id: 'c1', expires: startMs + 1, name: 'report-now' });
  await cloud.say('commands', { id: 'c1', expires: startMs + 1, name: 'report-now', args: {} });
  await cloud.nth('replies', 2);
  expect(cloud.of('replies')).toEqual([
    { v: 1, id: 'c1', ok: true, result: { rows: 7 } },
    { v: 1, id: 'c1', ok: true, result: { rows: 7 } },
  ]);
  expect(rig.ran).toEqual(['c1']);
});
