import { expect, onTestFinished, test } from 'vitest';
import type { Agent } from '../../agent/agent.ts';
import { openStationOutbox, startAgent } from '../../agent/start-agent.ts';
import { openMqttSession } from '../../protocol/host/mqtt-session.ts';
import { startAedes } from '../support/aedes.ts';
import { type CloudEnd, startCloudEnd } from '../support/cloud-end.ts';
import { waitFor } from '../support/wait.ts';
import { type AgentRig, agentRig, agentWords, damagePage, storedEvents } from './agent-rig.ts';
import { startMs, visits } from './outbox/rig.ts';
import { smallest } from './station-yaml.ts';

type Running = AgentRig & { agent: Agent };

async function run(rig: AgentRig, fields: object = {}): Promise<Running> {
  const config = rig.config({ clock: { trust: 'cloud' }, ...fields });
  const agent = await startAgent(config, 'start', await openStationOutbox(config, 'start', rig.io), rig.io);
  onTestFinished(() => end({ ...rig, agent }));
  return { ...rig, agent };
}

async function end({ agent, clock }: Running): Promise<void> {
  const abandoned = agent.abandon();
  await clock.advance(5000);
  await abandoned;
}

async function stopped({ agent, clock }: Running): Promise<void> {
  let over = false;
  void agent.stop('SIGTERM').then(() => {
    over = true;
  });
  await waitFor('the agent to stop', async () => {
    await clock.advance(20);
    return over;
  });
}

/** An agent and a cloud by hand, over a real broker. */
async function connect(
  fields: object = {},
  answers: Partial<CloudEnd['answers']> = {},
): Promise<Running & { cloud: CloudEnd }> {
  const { url } = await startAedes();
  const cloud = await startCloudEnd(url, smallest.station, { answers, nowMs: () => startMs + 3_600_000 });
  const rig = agentRig({ openSession: openMqttSession });
  const running = await run(rig, { cloud: { ...smallest.cloud, url }, ...fields });
  await cloud.nth('state', 1);
  return { ...running, cloud };
}

const door = (open: boolean) =>
  ({ type: 'reading', board: null, reading: { kind: 'door', sensor: 'door', open } }) as const;
const water = (ml: number) =>
  ({ type: 'reading', board: null, reading: { kind: 'water', sensor: 'water', tankPct: 80, hotC: 90, ml } }) as const;

const words = async ({ clock, dataDir }: AgentRig): Promise<string[]> => {
  await clock.advance(100);
  return agentWords(dataDir);
};

test('until the cloud tells the time the state says that the clock is unset, and events wait', async () => {
  const rig = await connect({}, { hello: false });
  rig.hear(door(true));
  await rig.clock.advance(2000);
  expect(rig.cloud.of('state').at(-1)).toMatchObject({ clock: 'unset', at: null, seq: expect.any(Number) });
  expect(rig.cloud.of('events')).toEqual([]);
  await rig.cloud.welcome(await rig.cloud.nth('hello', 1));
  const { events } = await rig.cloud.nth('events', 1);
  // By the cloud's clock, which it looked at somewhere in the two seconds, not by the machine's.
  expect(events[0]).toMatchObject({ at: startMs + 3_600_000 - 1000, kind: 'agent', what: 'started' });
  await rig.clock.advance(1000);
  expect(
    (await waitFor('a state with a clock', () => rig.cloud.of('state').find(({ clock }) => clock === 'set'))).at,
  ).toBe(startMs + 3_600_000 + 1000);
  expect(await words(rig)).toEqual(['started start', 'clock-set']);
});

test('what a driver hears becomes an event at once, and the live state', async () => {
  const rig = await connect();
  await rig.cloud.nth('events', 1);
  rig.hear(door(true));
  await rig.clock.advance(1000);
  const opened = await waitFor('the door', () =>
    rig.cloud.of('state').find((state) => state.door !== 'unknown' && state.door.open === true),
  );
  expect(opened).toMatchObject({
    v: 1,
    reportIntervalS: 30,
    sensors: { door: { health: 'ok' } },
    agent: { storage: 'ok' },
  });
  expect(opened.beat).toBeUndefined();
  expect(storedEvents(rig.dataDir)).toContainEqual({ kind: 'door', sensor: 'door', open: true });
});

test('a stop says what was counted and not said yet, then goodbye, and hands everything over', async () => {
  const rig = await connect();
  await rig.cloud.nth('events', 1);
  rig.hear(water(1000));
  rig.hear(water(1250));
  await stopped(rig);
  expect(await rig.cloud.nth('presence', 2)).toMatchObject({ online: false });
  const told = rig.cloud.of('events').flatMap(({ events }) => events as Record<string, unknown>[]);
  expect(told.filter(({ kind }) => kind === 'water').reduce((sum, { ml }) => sum + Number(ml), 0)).toBe(250);
  expect(told.at(-1)).toMatchObject({ what: 'stopped', detail: { reason: 'SIGTERM' } });
  expect(rig.lines.at(-1)).toMatchObject({ msg: 'agent stopped', reason: 'SIGTERM', drained: true });
  expect(rig.clock.pending).toBe(0);
});

test('a station that is offline stops without its cloud, and says that not all was handed over', async () => {
  const rig = await run(agentRig());
  await rig.clock.advance(100);
  await stopped(rig);
  expect(rig.lines.at(-1)).toMatchObject({ msg: 'agent stopped', drained: false });
});

test('a card that is full is said in the state and by an event; measurements wait until there is room', async () => {
  const rig = await connect({ outbox: { ballastBytes: 0 } });
  await rig.cloud.nth('events', 1);
  let full = true;
  rig.disk.fillOpenFiles(() => full);
  rig.hear(door(true));
  await rig.clock.advance(1100);
  expect(
    await waitFor('a full state', () => rig.cloud.of('state').find(({ agent }) => agent.storage === 'full')),
  ).toBeDefined();
  full = false;
  await rig.clock.advance(35_000);
  await waitFor('an ok state', () => rig.cloud.of('state').at(-1)?.agent.storage === 'ok');
  expect(await words(rig)).toEqual(['started start', 'clock-set', 'storage-alarm full']);
  expect(storedEvents(rig.dataDir)).toContainEqual({ kind: 'door', sensor: 'door', open: true });
});

test('an outbox beyond its bounds is trimmed, and an event tells', async () => {
  const rig = await run(agentRig(), { outbox: { maxRows: 100 } });
  for (let n = 0; n < 120; n++) {
    rig.hear(door(n % 2 === 0));
    await rig.clock.advance(60_000);
  }
  expect((await words(rig)).at(-1)).toBe('buffer-trimmed');
  const trimmed = storedEvents(rig.dataDir).findLast(({ what }) => what === 'buffer-trimmed');
  expect(trimmed?.['detail']).toEqual({ rows: expect.any(Number), measurements: 0, transitions: expect.any(Number) });
});

test('a cloud that stores more than was sent is an alarm, one that stores less is a line in the log', async () => {
  const rig = await connect({}, { hello: false });
  const hello = await rig.cloud.nth('hello', 1);
  rig.cloud.upTo.set(hello.epochs[0]?.id ?? '', 99);
  await rig.cloud.welcome(hello);
  await waitFor('the alarm', async () => (await words(rig)).includes('storage-alarm ack-ahead-current'));
});

test('report-now makes a state at once, is answered, and is told by an event', async () => {
  const rig = await connect();
  await rig.cloud.nth('events', 1);
  await rig.clock.advance(5000);
  const states = rig.cloud.of('state').length;
  await rig.cloud.say('commands', { id: 'c1', expires: startMs + 7_200_000, name: 'report-now' });
  expect(await rig.cloud.nth('replies', 1)).toEqual({ v: 1, id: 'c1', ok: true, result: { rows: expect.any(Number) } });
  await rig.cloud.nth('state', states + 1);
  expect(await words(rig)).toContain('command');
});

test('the day’s jobs run by the trusted clock: maintenance at 03:30, the quiet hour at 04:00, the self-report at 06:00', async () => {
  const rig = await connect({ clock: { trust: 'system' } });
  // 10:00 in Shanghai is where the test begins.
  await rig.clock.advance(17 * 3_600_000 + 29 * 60_000);
  expect(rig.lines.filter(({ msg }) => msg === 'outbox maintained')).toEqual([]);
  await rig.clock.advance(2 * 60_000);
  expect(rig.lines.filter(({ msg }) => msg === 'outbox maintained')).toHaveLength(1);
  expect(await words(rig)).not.toContain('self-report');
  await rig.clock.advance(2.5 * 3_600_000);
  expect(await words(rig)).toContain('self-report');
  const report = storedEvents(rig.dataDir).find(({ what }) => what === 'self-report');
  expect(report?.['detail']).toMatchObject({ rows: expect.any(Number), bytes: expect.any(Number), written: 0 });
});

test('a sensor that falls silent is said, and is unknown in the state', async () => {
  const rig = await connect();
  rig.hear(door(true));
  await rig.clock.advance(20_000);
  expect(storedEvents(rig.dataDir)).toContainEqual(
    expect.objectContaining({ kind: 'sensor', sensor: 'door', health: 'silent' }),
  );
  await waitFor('an unknown door', () => rig.cloud.of('state').at(-1)?.door === 'unknown');
});

test('whoever holds the cloud to it hears of every commit, with its events', async () => {
  const commits: { last: number; entries: number }[] = [];
  const rig = await run(
    agentRig({ committed: ({ last, entries }) => void commits.push({ last, entries: entries.length }) }),
  );
  rig.hear(door(true));
  await rig.clock.advance(100);
  expect(commits.at(-1)?.last).toBe(commits.reduce((sum, { entries }) => sum + entries, 0));
});

test('a large file is checked beside the running agent; damage that is found is a failure of the storage', async () => {
  const rig = agentRig();
  const config = rig.config({ outbox: { checkInlineMaxBytes: 0 } });
  const first = await openStationOutbox(config, 'start', rig.io);
  await first.outbox.append(visits(2000), {});
  await first.outbox.close();
  damagePage(rig.dataDir);
  const { agent } = await run(rig, { outbox: { checkInlineMaxBytes: 0 } });
  expect(String(await agent.failed)).toMatch(/outbox\.db: .*(page|btree|malformed)/);
});
