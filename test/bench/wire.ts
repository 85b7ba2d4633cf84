import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { formatBoardLine } from '../../protocol/board-line.ts';
import { makeDurable } from '../../protocol/host/sqlite.ts';
import { type Bench, messageOf, type Rig, ratioFigure } from './rig.ts';

/** From a byte on the wire to a committed row, when every line is an event. */
export const wireBench: Bench = {
  name: 'wire',
  what: 'wire to committed row when every line is an event, against bare better-sqlite3 with the same rows in groups of the same size',
  async run(rig) {
    const lines = rig.option('lines', 200_000);
    const rounds = rig.option('rounds', 3);
    const rates: number[] = [];
    const bares: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      rig.progress(`wire: round ${round} of ${rounds}`);
      const { rate, group } = await agentRate(rig, lines, round);
      rates.push(rate);
      bares.push(bareRate(rig, lines, Math.max(1, group), round));
    }
    return [
      ratioFigure(
        'wire to committed row',
        'lines/s',
        median(rates),
        { name: 'bare better-sqlite3', value: median(bares) },
        0.25,
      ),
    ];
  },
};

async function agentRate(rig: Rig, lines: number, round: number): Promise<{ rate: number; group: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  rig.defer(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const connected = once(server, 'connection') as Promise<[Socket]>;
  const config = join(rig.directory, `wire-${round}.yaml`);
  writeFileSync(config, wireYaml(join(rig.directory, `wire-${round}`), port));
  const part = rig.fork('agent-wire.ts');
  part.send({ config, events: lines });
  await messageOf(part);
  const [socket] = await connected;
  const done = messageOf<{ commits: number }>(part);
  const start = performance.now();
  await feed(socket, lines);
  const { commits } = await done;
  const seconds = (performance.now() - start) / 1000;
  part.kill();
  socket.destroy();
  return { rate: lines / seconds, group: Math.round(lines / commits) };
}

/** Each line counts one more visitor: each is a transition that has to be committed. */
async function feed(socket: Socket, lines: number): Promise<void> {
  for (let sent = 0; sent < lines; ) {
    const chunk: string[] = [];
    for (let index = 0; index < 500 && sent < lines; index++, sent++) {
      chunk.push(
        formatBoardLine({ board: 'B1', n: sent % 65_536, sensor: 'people', fields: { in: sent + 1, out: sent } }),
      );
    }
    if (!socket.write(chunk.join(''), 'latin1')) await once(socket, 'drain');
  }
}

function bareRate(rig: Rig, rows: number, group: number, round: number): number {
  const db = makeDurable(new Database(join(rig.directory, `bare-${round}.db`)), { walPages: 256, cacheKiB: 2000 });
  db.exec(
    'CREATE TABLE event (epoch INTEGER NOT NULL, seq INTEGER NOT NULL, transition INTEGER NOT NULL, mono_ms INTEGER NOT NULL, anchor INTEGER, body TEXT NOT NULL, PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID',
  );
  const insert = db.prepare('INSERT INTO event VALUES (1, ?, 1, ?, NULL, ?)');
  const start = performance.now();
  for (let done = 0; done < rows; done += group) {
    db.transaction(() => {
      for (let seq = done + 1; seq <= Math.min(rows, done + group); seq++) {
        insert.run(
          seq,
          seq,
          JSON.stringify({ kind: 'people', sensor: 'people', in: 1, out: 1, inside: 1, basis: 'counted' }),
        );
      }
    })();
  }
  const seconds = (performance.now() - start) / 1000;
  db.close();
  return rows / seconds;
}

function wireYaml(dataDir: string, port: number): string {
  return [
    'station: bench',
    `dataDir: ${dataDir}`,
    "cloud: { url: 'mqtt://127.0.0.1:9', username: bench, password: bench }",
    `sensors: [{ driver: board, port: 'tcp://127.0.0.1:${port}' }]`,
    'outbox: { maxRows: 10000000, maxBytes: 4000000000, maxPending: 1000000 }',
    '',
  ].join('\n');
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
