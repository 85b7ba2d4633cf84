import { createServer, type Socket } from 'node:net';

/**
 * The smallest cloud that there can be: takes any login, welcomes, and acknowledges every batch at
 * once, without keeping anything. What talks to it is measured, not it. A child process; it answers
 * its parent's `{delayMs}` with `{port}`, and tells the first presence and batch and every 100,000th
 * event with their times.
 */
export type AckerReport =
  | { kind: 'port'; port: number }
  | { kind: 'first-presence' | 'first-batch'; atMs: number }
  | { kind: 'progress'; events: number; atMs: number };

const reportEvery = 100_000;

process.on('message', ({ delayMs }: { delayMs: number }) => {
  const server = createServer((socket) => serve(socket, delayMs));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    tell({ kind: 'port', port: typeof address === 'object' && address ? address.port : 0 });
  });
});

function serve(socket: Socket, delayMs: number): void {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  const counts = { events: 0, presence: false, batch: false };
  const answer = (bytes: Buffer): void => {
    if (delayMs === 0) socket.write(bytes);
    else setTimeout(() => socket.write(bytes), delayMs);
  };
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (let frame = readFrame(rest); frame; frame = readFrame(rest)) {
      rest = rest.subarray(frame.length);
      const type = frame.header >> 4;
      if (type === 1) answer(Buffer.from([0x20, 2, 0, 0]));
      if (type === 8) answer(suback(frame.body));
      if (type === 12) answer(Buffer.from([0xd0, 0]));
      if (type === 3) takePublish(frame.body, answer, counts);
    }
  });
}

function takePublish(
  body: Buffer,
  answer: (bytes: Buffer) => void,
  counts: { events: number; presence: boolean; batch: boolean },
): void {
  const topicBytes = body.readUInt16BE(0);
  const topic = body.toString('latin1', 2, 2 + topicBytes);
  answer(Buffer.from([0x40, 2, body[2 + topicBytes] ?? 0, body[3 + topicBytes] ?? 0]));
  const station = topic.slice(0, topic.lastIndexOf('/'));
  if (topic.endsWith('/presence') && !counts.presence) {
    counts.presence = true;
    tell({ kind: 'first-presence', atMs: Date.now() });
  }
  const payload = (): string => body.toString('utf8', 4 + topicBytes);
  if (topic.endsWith('/hello')) {
    const { nonce, epochs }: { nonce: string; epochs: { id: string }[] } = JSON.parse(payload());
    const welcome = {
      v: 1,
      nonce,
      session: 'bench',
      now: Date.now(),
      epochs: epochs.map(({ id }) => ({ id, upTo: 0 })),
    };
    answer(publishFrame(`${station}/welcome`, JSON.stringify(welcome)));
  }
  if (!topic.endsWith('/events')) return;
  if (!counts.batch) {
    counts.batch = true;
    tell({ kind: 'first-batch', atMs: Date.now() });
  }
  const { session, epoch, first, events }: { session: string; epoch: string; first: number; events: unknown[] } =
    JSON.parse(payload());
  answer(
    publishFrame(
      `${station}/ack`,
      JSON.stringify({ v: 1, session, epoch, upTo: first + events.length - 1, now: Date.now() }),
    ),
  );
  const before = Math.floor(counts.events / reportEvery);
  counts.events += events.length;
  if (Math.floor(counts.events / reportEvery) > before)
    tell({ kind: 'progress', events: counts.events, atMs: Date.now() });
}

function suback(body: Buffer): Buffer {
  let topics = 0;
  for (let index = 2; index < body.length; topics++) index += 2 + body.readUInt16BE(index) + 1;
  return Buffer.concat([Buffer.from([0x90, 2 + topics]), body.subarray(0, 2), Buffer.alloc(topics, 1)]);
}

function publishFrame(topic: string, payload: string): Buffer {
  const name = Buffer.from(topic);
  const body = Buffer.concat([Buffer.from([name.length >> 8, name.length & 0xff]), name, Buffer.from(payload)]);
  const length: number[] = [];
  for (let left = body.length; ; left = Math.floor(left / 128)) {
    length.push((left % 128) + (left >= 128 ? 0x80 : 0));
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([0x30, ...length]), body]);
}

function readFrame(buffer: Buffer): { header: number; body: Buffer; length: number } | null {
  let length = 0;
  for (let index = 1; index < 5; index++) {
    const byte = buffer[index];
    if (byte === undefined) return null;
    length += (byte & 0x7f) * 128 ** (index - 1);
    if (byte >= 0x80) continue;
    const end = index + 1 + length;
    return buffer.length < end ? null : { header: buffer[0] ?? 0, body: buffer.subarray(index + 1, end), length: end };
  }
  return null;
}

function tell(report: AckerReport): void {
  process.send?.(report);
}
