import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ExternalBroker } from '../../../cloud/broker/external.ts';
import type { Uplink } from '../../../cloud/broker/uplink.ts';
import { systemClock } from '../../../protocol/host/clock.ts';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import { upChannels } from '../../../protocol/topics.ts';
import { memoryLog } from '../../support/log.ts';
import { freePort, startMosquitto } from '../../support/mosquitto.ts';
import { waitFor } from '../../support/wait.ts';
import { connect, listen, other, ours, password, type Taken } from './embedded-rig.ts';

const readme = readFileSync(fileURLToPath(new URL('../../../protocol/README.md', import.meta.url)), 'utf8');
const cloudLogin = { username: 'yizhan-cloud', password: 'of the cloud' };

/** The operator's files as `protocol/README.md` §4 has them, in a folder of the test's own. */
function asInReadme(directory: string): string[] {
  const block = readme.slice(readme.indexOf('    # mosquitto.conf'), readme.indexOf('## Change log'));
  const [conf = '', acl = ''] = block.replaceAll(/^ {4}/gm, '').split('# acl: the user name is the station id\n');
  const passwords = join(directory, 'passwords');
  writeFileSync(join(directory, 'acl'), acl, { mode: 0o600 });
  writeFileSync(passwords, '', { mode: 0o600 });
  for (const [name, secret] of [
    [ours, password],
    [other, password],
    [cloudLogin.username, cloudLogin.password],
  ] as const)
    execFileSync('mosquitto_passwd', ['-b', passwords, name, secret], { stdio: 'ignore' });
  return conf.replaceAll('/etc/mosquitto', directory).split('\n');
}

function openExternal(url: string) {
  const taken: Taken[] = [];
  const uplinks: Uplink[] = [];
  const { log, lines } = memoryLog();
  const broker = new ExternalBroker(
    { url, ...cloudLogin },
    {
      clock: systemClock,
      random: () => 0,
      log,
      openSession: openMqttSession,
      take(uplink) {
        const { station, channel, payload, retained } = uplink;
        uplinks.push(uplink);
        taken.push({ station, channel, text: Buffer.from(payload).toString(), retained });
        return undefined;
      },
    },
  );
  onTestFinished(() => broker[Symbol.asyncDispose]());
  return { broker, taken, uplinks, lines, connected: () => waitFor('the cloud’s end', () => broker.connected()) };
}

async function open() {
  const mosquitto = await startMosquitto({ password: asInReadme });
  const cloud = openExternal(mosquitto.url);
  await cloud.connected();
  return { mosquitto, ...cloud };
}

const say = async (url: string, topic: string, text: string, retain = false): Promise<void> => {
  const client = await connect(url);
  await client.publishAsync(topic, text, { qos: 1, retain });
  await client.endAsync();
};

describe('with the rights of the protocol’s README at a real mosquitto', () => {
  test('a station is heard on every channel of its own, and answered', async () => {
    const { mosquitto, taken, uplinks, broker } = await open();
    const client = await connect(mosquitto.url);
    const heard = await listen(client, ours);
    for (const channel of upChannels) await client.publishAsync(`stations/${ours}/${channel}`, channel, { qos: 1 });
    await waitFor('all', () => taken.length === upChannels.length);
    expect(taken).toEqual(upChannels.map((channel) => ({ station: ours, channel, text: channel, retained: false })));
    uplinks[0]?.reply('welcome', Buffer.from('answer'));
    for (const channel of ['reset', 'ack', 'config', 'commands'] as const) broker.send(ours, channel, Buffer.from('x'));
    await waitFor('all answers', () => heard.length === 5);
    expect(heard.map(({ channel }) => channel)).toEqual(['welcome', 'reset', 'ack', 'config', 'commands']);
    expect(heard[0]?.text).toBe('answer');
    const late = await listen(await connect(mosquitto.url), ours);
    broker.send(ours, 'ack', Buffer.from('now'));
    await waitFor('a message', () => late.length > 0);
    expect(late, 'what the cloud says is kept for nobody').toEqual([{ channel: 'ack', text: 'now' }]);
  });

  test('nobody comes in without a password', async () => {
    const { mosquitto } = await open();
    await expect(connect(mosquitto.url, { username: null, password: null })).rejects.toThrow();
    await expect(connect(mosquitto.url, { password: 'wrong' })).rejects.toThrow();
  });

  test.each([[`stations/${other}/state`], [`stations/${ours}/ack`], [`stations/${other}/commands`]])(
    'a station is not heard on %s',
    async (topic) => {
      const { mosquitto, taken } = await open();
      const watching = await listen(await connect(mosquitto.url, { username: other }), other);
      const own = await listen(await connect(mosquitto.url), ours);
      await say(mosquitto.url, topic, 'forged');
      await say(mosquitto.url, `stations/${ours}/hello`, 'honest');
      await waitFor('the honest one', () => taken.length > 0);
      expect({ taken: taken.map(({ text }) => text), watching, own }).toEqual({
        taken: ['honest'],
        watching: [],
        own: [],
      });
    },
  );

  test('a station does not hear another one, whatever it subscribes to', async () => {
    const { mosquitto, broker } = await open();
    const heard: string[] = [];
    const spy = await connect(mosquitto.url, { username: other });
    spy.on('message', (topic) => heard.push(topic));
    await spy.subscribeAsync(['#', 'stations/+/ack', `stations/${ours}/ack`], { qos: 1 }).catch(() => {});
    await listen(spy, other);
    broker.send(ours, 'ack', Buffer.from('x'));
    broker.send(other, 'ack', Buffer.from('x'));
    await waitFor('its own', () => heard.length > 0);
    expect(new Set(heard)).toEqual(new Set([`stations/${other}/ack`]));
  });

  test('a will of a station that broke off is heard', async () => {
    const { mosquitto, taken } = await open();
    const will = { topic: `stations/${ours}/presence`, payload: Buffer.from('will'), qos: 1 as const, retain: true };
    const client = await connect(mosquitto.url, { will });
    client.stream.destroy();
    await waitFor('the will', () => taken.length > 0);
    expect(taken).toEqual([{ station: ours, channel: 'presence', text: 'will', retained: false }]);
  });
});

test('what the broker kept is told as kept to a cloud that starts again', async () => {
  const first = await open();
  await say(first.mosquitto.url, `stations/${ours}/state`, 'kept', true);
  await say(first.mosquitto.url, `stations/${ours}/hello`, 'passed on');
  await waitFor('both', () => first.taken.length === 2);
  expect(first.taken.map(({ retained }) => retained)).toEqual([false, false]);
  await first.broker[Symbol.asyncDispose]();
  const second = openExternal(first.mosquitto.url);
  await second.connected();
  await waitFor('the kept one', () => second.taken.length > 0);
  expect(second.taken).toEqual([{ station: ours, channel: 'state', text: 'kept', retained: true }]);
});

test('a broker that goes and comes back is connected again; meanwhile the cloud says that it is not', async () => {
  const { mosquitto, broker, taken, lines, connected } = await open();
  await mosquitto.stop('SIGKILL');
  await waitFor('the loss', () => !broker.connected());
  expect(() => broker.send(ours, 'ack', Buffer.from('x'))).not.toThrow();
  await mosquitto.start();
  await connected();
  await say(mosquitto.url, `stations/${ours}/hello`, 'again');
  await waitFor('a message', () => taken.length > 0);
  expect(taken).toMatchObject([{ text: 'again' }]);
  expect(lines.map(({ msg }) => msg)).toContain('external broker is gone');
});

test('a removed station is the operator’s to lock out: the log says so', async () => {
  const { broker, lines } = await open();
  broker.disconnect(ours);
  expect(lines.at(-1)).toMatchObject({ station: ours, level: 40 });
  expect(lines.at(-1)?.msg).toMatch(/take its password away/);
  expect(broker.connections()).toBeNull();
});

describe('it can be closed', () => {
  test('while no broker is there', async () => {
    const { broker } = openExternal(`mqtt://127.0.0.1:${await freePort()}`);
    await broker[Symbol.asyncDispose]();
    expect(broker.connected()).toBe(false);
  });

  test('while a broker does not answer', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const address = silent.address();
    const { broker } = openExternal(`mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
    await expect(broker[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });

  test('while it connects: the session that comes too late is ended', async () => {
    const late = Promise.withResolvers<void>();
    const { log } = memoryLog();
    let aborted = 0;
    const session = {
      publish() {},
      queuedBytes: () => 0,
      closed: new Promise<string>(() => {}),
      close: async () => {},
      abort() {
        aborted += 1;
      },
    };
    const broker = new ExternalBroker(
      { url: 'mqtt://127.0.0.1:1' },
      {
        clock: systemClock,
        random: () => 0,
        log,
        openSession: () => late.promise.then(() => session),
        take: () => undefined,
      },
    );
    const closing = broker[Symbol.asyncDispose]();
    late.resolve();
    await closing;
    await waitFor('its end', () => aborted === 1);
    expect(broker.connected()).toBe(false);
  });
});
