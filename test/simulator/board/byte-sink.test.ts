import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { SerialPort } from 'serialport';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ByteSink, openPtySink, openTcpSink } from '../../../simulator/board/byte-sink.ts';
import { startProgram } from '../../support/programs.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';

type Listener = { heard: () => string; gone: () => boolean; hangUp: () => void };

function openWire(address: string): Duplex {
  if (address.startsWith('/')) return new SerialPort({ path: address, baudRate: 115_200 });
  return connect(Number(new URL(address).port), '127.0.0.1');
}

/** Opens the wire as an agent does, again and again until it is there. */
async function listen(sink: ByteSink): Promise<Listener> {
  let text = '';
  let gone = true;
  let wire: Duplex | null = null;
  await waitFor('a wire that is heard', () => {
    if (gone) {
      gone = false;
      wire = openWire(sink.address)
        .on('data', (bytes) => (text += String(bytes)))
        .on('error', () => (gone = true))
        .on('close', () => (gone = true));
    }
    return sink.listened();
  });
  const hangUp = (): void => void (wire instanceof SerialPort ? wire.close(() => {}) : wire?.destroy());
  onTestFinished(hangUp);
  return { heard: () => text, gone: () => gone, hangUp };
}

async function opened(opening: Promise<ByteSink>): Promise<ByteSink> {
  const sink = await opening;
  onTestFinished(() => sink[Symbol.asyncDispose]());
  return sink;
}

describe.each([
  { wire: 'TCP', openSink: () => openTcpSink('127.0.0.1', 0) },
  { wire: 'a PTY', openSink: () => openPtySink(join(tempDir(), 'tty')) },
])('a board on $wire', ({ openSink }) => {
  test('tells nothing before somebody listens, and nothing after the last listener went', async () => {
    const sink = await opened(openSink());
    expect({ listened: sink.listened(), told: sink.write(Buffer.from('early ')) }).toEqual({
      listened: false,
      told: false,
    });
    const first = await listen(sink);
    expect(sink.write(Buffer.from('one'))).toBe(true);
    await waitFor('the bytes', () => first.heard() === 'one');
    first.hangUp();
    await waitFor('nobody', () => !sink.listened());
    expect(sink.write(Buffer.from('nobody hears this '))).toBe(false);
    const second = await listen(sink);
    sink.write(Buffer.from('two'));
    await waitFor('the bytes', () => second.heard() === 'two');
  });

  test('is gone while it is unplugged, and back at the same address', async () => {
    const sink = await opened(openSink());
    const first = await listen(sink);
    sink.write(Buffer.from('last words'));
    sink.unplug(300);
    expect(sink.write(Buffer.from('lost'))).toBe(false);
    await waitFor('the end', () => first.gone());
    expect(first.heard()).toBe('last words');
    const second = await listen(sink);
    sink.write(Buffer.from('back'));
    await waitFor('the bytes', () => second.heard() === 'back');
  });

  test('what was written before its end still arrives', async () => {
    const sink = await openSink();
    const { heard } = await listen(sink);
    sink.write(Buffer.from('goodbye'));
    await sink[Symbol.asyncDispose]();
    expect(sink.write(Buffer.from('too late'))).toBe(false);
    await waitFor('the bytes', () => heard() === 'goodbye');
  });
});

test.each([
  {
    what: 'socat is missing',
    path: '/nowhere',
    link: () => join(tempDir(), 'tty'),
    line: /^socat is not installed: apt-get install socat, or use --tcp$/,
  },
  {
    what: 'the folder is missing',
    path: process.env['PATH'],
    link: () => join(tempDir(), 'none', 'tty'),
    line: /none\/tty: expected a path where socat can make a tty$/,
  },
])('where $what the program ends with one line and exit code 69', async ({ path, link, line }) => {
  const args = ['board', '--pty', link(), '--ledger', join(tempDir(), 'ledger')];
  const program = startProgram('simulator', args, { PATH: path });
  expect({ code: await program.exited, stderr: program.stderr }).toEqual({
    code: 69,
    stderr: [expect.stringMatching(line)],
  });
});
