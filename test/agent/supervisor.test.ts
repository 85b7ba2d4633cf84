import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AgentConfig } from '../../agent/config.ts';
import { type Order, type Orders, superviseAgent } from '../../agent/supervisor.ts';
import { StoreError } from '../../protocol/host/sqlite.ts';
import { waitFor } from '../support/wait.ts';
import { type AgentRig, agentRig, agentWords, storedEvents } from './agent-rig.ts';
import { inspect } from './outbox/rig.ts';
import { smallest } from './station-yaml.ts';

type Supervised = AgentRig & { give: (order: Order) => void; ended: Promise<unknown> };

/** A supervisor that is given its orders by hand. `ended` resolves with the error that ended it, or null. */
function supervise(rig: AgentRig, config: AgentConfig = rig.config()): Supervised {
  let taker = Promise.withResolvers<Order>();
  const orders: Orders = {
    next() {
      taker = Promise.withResolvers<Order>();
      return taker.promise;
    },
  };
  const ended = superviseAgent(config, orders, rig.io).then(
    () => null,
    (error: unknown) => error,
  );
  return { ...rig, give: (order) => taker.resolve(order), ended };
}

const logged = ({ lines, clock }: AgentRig, msg: string, n = 1): Promise<unknown> =>
  waitFor(`"${msg}", ${n}`, async () => {
    await clock.advance(0);
    return lines.filter((line) => line.msg === msg)[n - 1];
  });

/** Lets everything that is due in the time happen, and what that brings about. */
const pass = ({ clock }: AgentRig, ms: number): Promise<void> => clock.advance(ms);

async function stop(agent: Supervised): Promise<unknown> {
  agent.give({ kind: 'stop', reason: 'SIGTERM' });
  await pass(agent, 5000);
  return agent.ended;
}

const openDoor = { type: 'reading', board: null, reading: { kind: 'door', sensor: 'door', open: true } } as const;

test('an agent says that it started, takes events, and says that it stopped', async () => {
  const agent = supervise(agentRig());
  await logged(agent, 'agent started');
  agent.hear(openDoor);
  expect(await stop(agent)).toBeNull();
  expect(agentWords(agent.dataDir)).toEqual(['started start', 'stopped SIGTERM']);
  expect(storedEvents(agent.dataDir).map(({ kind }) => kind)).toContain('door');
  expect(agent.disk.openFiles()).toBe(0);
  expect(agent.clock.pending).toBe(0);
});

test('a reload stops the agent, and starts it in a new epoch with the new configuration', async () => {
  const drivers: string[] = [];
  const rig = agentRig({
    startDrivers(configured) {
      drivers.push(...configured.map(({ name }) => name));
      return [];
    },
  });
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  const [board] = smallest.sensors;
  agent.give({ kind: 'reload', config: rig.config({ sensors: [{ ...board, name: 'attic' }] }) });
  await logged(agent, 'agent started', 2);
  await stop(agent);
  expect(drivers).toEqual(['board-1', 'attic']);
  expect(agentWords(agent.dataDir)).toEqual([
    'started start',
    'stopped reload',
    'started reload',
    'config-applied',
    'stopped SIGTERM',
  ]);
  expect(inspect(agent.dataDir, 'SELECT n FROM epoch')).toHaveLength(2);
});

test('storage that fails is opened again a second later, in a new epoch, and events are taken again', async () => {
  const agent = supervise(agentRig());
  await logged(agent, 'agent started');
  agent.disk.breakOpenFiles();
  agent.hear(openDoor);
  await pass(agent, 50);
  await logged(agent, 'storage failed: opening it again');
  await pass(agent, 999);
  expect(agent.lines.filter(({ msg }) => msg === 'agent started')).toHaveLength(1);
  await pass(agent, 1);
  await logged(agent, 'agent started', 2);
  agent.hear(openDoor);
  await pass(agent, 50);
  await stop(agent);
  // What was not committed is counted again; that it stood open is said by the first word after it.
  expect(storedEvents(agent.dataDir).map(({ kind, what }) => what ?? kind)).toEqual([
    'started',
    'started',
    'sensor',
    'door',
    'stopped',
  ]);
  expect(agentWords(agent.dataDir)).toEqual(['started start', 'started storage-failed', 'stopped SIGTERM']);
  expect(agent.disk.openFiles()).toBe(0);
});

test('without any storage the live lane goes on, and every half minute storage is tried again', async () => {
  const rig = agentRig();
  rig.disk.gone = true;
  const agent = supervise(rig);
  await logged(agent, 'no outbox can be opened: live lane only, no event is accepted');
  await logged(agent, 'agent started');
  agent.hear(openDoor);
  await pass(agent, 30_000);
  await logged(agent, 'no outbox can be opened: live lane only, no event is accepted', 2);
  agent.disk.gone = false;
  await pass(agent, 30_000);
  await logged(agent, 'storage is back');
  await logged(agent, 'agent started', 2);
  agent.hear(openDoor);
  await stop(agent);
  expect(agentWords(agent.dataDir)).toEqual(['started storage-failed', 'stopped SIGTERM']);
});

test('a stop ends an agent without storage, too', async () => {
  const rig = agentRig();
  rig.disk.gone = true;
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  expect(await stop(agent)).toBeNull();
  expect(agent.clock.pending).toBe(0);
});

test('a reload while storage is tried again leaves no second file open', async () => {
  const rig = agentRig();
  rig.disk.gone = true;
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  agent.give({ kind: 'reload', config: rig.config() });
  agent.disk.gone = false;
  await pass(agent, 30_000);
  await logged(agent, 'agent started', 2);
  await pass(agent, 60_000);
  expect(agent.disk.openFiles()).toBe(1);
  await stop(agent);
  expect(agent.disk.openFiles()).toBe(0);
});

test('an order that comes in the very moment in which storage is back leaves no file open behind it', async () => {
  const rig = agentRig();
  rig.disk.gone = true;
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  const open = agent.disk.open.bind(agent.disk);
  agent.disk.open = (path) => {
    agent.give({ kind: 'stop', reason: 'SIGTERM' });
    return open(path);
  };
  agent.disk.gone = false;
  await pass(agent, 40_000);
  expect(await agent.ended).toBeNull();
  expect(agent.disk.openFiles()).toBe(0);
});

test('storage that fails while a reload closes it is said, and the agent goes on with the new configuration', async () => {
  const rig = agentRig();
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  agent.disk.breakOpenFiles();
  agent.give({ kind: 'reload', config: rig.config() });
  await logged(agent, 'storage failed while stopping');
  await pass(agent, 5000);
  await logged(agent, 'agent started', 2);
  expect(await stop(agent)).toBeNull();
  expect(agentWords(agent.dataDir)).toEqual(['started start', 'started reload', 'config-applied', 'stopped SIGTERM']);
  expect(agent.disk.openFiles()).toBe(0);
});

test('storage that fails while the last stop closes it ends the supervisor with an error that says so', async () => {
  const agent = supervise(agentRig());
  await logged(agent, 'agent started');
  agent.disk.breakOpenFiles();
  const error = await stop(agent);
  expect(error).toBeInstanceOf(StoreError);
  expect(String(error)).toContain('storage failed while stopping: disk I/O error');
  expect(agent.disk.openFiles()).toBe(0);
});

test('an outbox that opens and cannot be read is left; the live lane goes on until it can', async () => {
  const rig = agentRig();
  const open = rig.disk.open.bind(rig.disk);
  let dying = true;
  rig.disk.open = (path) => {
    const db = open(path);
    const prepare = db.prepare.bind(db);
    if (dying)
      db.prepare = ((source: string) => {
        if (source.includes('FROM checkpoint')) throw new Error('disk I/O error');
        return prepare(source);
      }) as typeof db.prepare;
    return db;
  };
  const agent = supervise(rig);
  await logged(agent, 'agent started');
  expect(agent.lines.map(({ msg }) => msg)).toContain('no outbox can be read: live lane only, no event is accepted');
  expect(agent.disk.openFiles()).toBe(0);
  dying = false;
  await pass(agent, 30_000);
  await logged(agent, 'storage is back');
  await logged(agent, 'agent started', 2);
  expect(await stop(agent)).toBeNull();
});

test('a first look at the storage that fails is a failure of the storage, not of the process', async () => {
  const rig = agentRig({ ntpSynchronised: () => true });
  const open = rig.disk.open.bind(rig.disk);
  let opened = 0;
  rig.disk.open = (path) => {
    const db = open(path);
    const prepare = db.prepare.bind(db);
    if (opened++ === 0)
      db.prepare = ((source: string) => {
        if (source.startsWith('INSERT INTO anchor')) throw new Error('disk I/O error');
        return prepare(source);
      }) as typeof db.prepare;
    return db;
  };
  const agent = supervise(rig);
  await logged(agent, 'storage failed: opening it again');
  await pass(agent, 1000);
  await logged(agent, 'agent started', 2);
  expect(await stop(agent)).toBeNull();
});

test('a corrupt file is said in the log and in an event, once', async () => {
  const rig = agentRig();
  writeFileSync(join(rig.dataDir, 'outbox.db'), 'no database at all');
  const agent = supervise(rig);
  await logged(agent, 'outbox was corrupt: set aside, and salvaged what could be read');
  agent.give({ kind: 'reload', config: rig.config() });
  await logged(agent, 'agent started', 2);
  await stop(agent);
  expect(agentWords(agent.dataDir).filter((word) => word.startsWith('storage'))).toEqual([
    'storage-alarm corrupt-outbox',
  ]);
  expect(storedEvents(agent.dataDir).find(({ what }) => what === 'storage-alarm')).toMatchObject({
    detail: { alarm: 'corrupt-outbox', problem: expect.stringContaining('NOTADB'), events: 0 },
  });
});

test('a defect of the agent ends the supervisor: nothing is opened again and again over it', async () => {
  let starts = 0;
  const rig = agentRig({
    startDrivers() {
      if (starts++ === 0) throw new TypeError('a defect');
      return [];
    },
  });
  const agent = supervise(rig);
  expect(await agent.ended).toEqual(new TypeError('a defect'));
});
