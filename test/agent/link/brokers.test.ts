import { connectAsync } from 'mqtt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startAedes } from '../../support/aedes.ts';
import { startCloudEnd } from '../../support/cloud-end.ts';
import { startMosquitto } from '../../support/mosquitto.ts';
import { waitFor } from '../../support/wait.ts';
import { startMs, visits } from '../outbox/rig.ts';
import { drained, startLink, station } from './rig.ts';

const brokers = [
  { broker: 'aedes', mqttVersion: '3.1.1', start: startAedes },
  { broker: 'mosquitto', mqttVersion: '3.1.1', start: startMosquitto },
  { broker: 'mosquitto', mqttVersion: '5', start: startMosquitto },
] as const;

/** What a client that comes now is told of the station's presence. */
async function retainedPresence(url: string): Promise<{ online: boolean; nonce: string } | null> {
  const client = await connectAsync(url, { clientId: `late-${Math.random()}`, reconnectPeriod: 0 });
  onTestFinished(() => void client.end(true));
  const heard = new Promise<string>((resolve) => client.once('message', (_topic, payload) => resolve(String(payload))));
  await client.subscribeAsync(`stations/${station}/presence`, { qos: 1 });
  return JSON.parse(await heard);
}

describe.each(brokers)('over $broker with MQTT $mqttVersion', ({ mqttVersion, start }) => {
  test('a station says presence, hello and state, then its history, and all of it is acknowledged', async () => {
    const { url } = await start();
    const cloud = await startCloudEnd(url, station);
    const rig = await startLink({ url, mqttVersion, fill: (outbox) => outbox.append(visits(450), {}) });
    await drained(rig);
    const epoch = rig.outbox.currentEpoch();
    expect(cloud.heard.slice(0, 3).map(({ channel }) => channel)).toEqual(['presence', 'hello', 'state']);
    const { nonce } = cloud.of('presence')[0] ?? {};
    expect(cloud.of('presence')).toEqual([{ v: 1, online: true, nonce }]);
    expect(cloud.of('hello')).toEqual([
      {
        v: 1,
        nonce,
        instance: rig.outbox.instance,
        agent: '0.1.0',
        configHash: '9d1f0c3b7a5e4d22',
        epochs: [{ id: epoch, oldest: 1, last: 450, acked: 0 }],
      },
    ]);
    expect(cloud.of('state')[0]).toMatchObject({ v: 1, nonce, beat: true, epoch, seq: 450 });
    const batches = cloud.of('events');
    expect(batches.map(({ first, events }) => [first, events.length])).toEqual([
      [1, 200],
      [201, 200],
      [401, 50],
    ]);
    expect(batches[2]).toMatchObject({ v: 1, session: 'session-1', epoch });
    expect(batches[2]?.events[49]).toEqual({
      at: startMs + 450,
      kind: 'people',
      sensor: 'people',
      in: 1,
      out: 0,
      inside: 1,
      basis: 'counted',
    });
    expect(rig.outbox.positions()[0]).toMatchObject({ acked: 450 });
  });

  test('presence and state are kept for who comes late; hello and events are not', async () => {
    const { url } = await start();
    const cloud = await startCloudEnd(url, station);
    const rig = await startLink({ url, mqttVersion, fill: (outbox) => outbox.append(visits(2), {}) });
    await drained(rig);
    const late = await connectAsync(url, { clientId: 'late', reconnectPeriod: 0 });
    onTestFinished(() => void late.end(true));
    const kept: string[] = [];
    late.on('message', (topic, _payload, { retain }) => retain && kept.push(topic));
    await late.subscribeAsync(`stations/${station}/#`, { qos: 1 });
    await waitFor('the retained messages', () => kept.length >= 2);
    expect(kept.toSorted()).toEqual([`stations/${station}/presence`, `stations/${station}/state`]);
    expect(cloud.of('presence')).toHaveLength(1);
  });

  test('a connection that breaks is told by the will, with the connection’s nonce', async () => {
    const { url } = await start();
    const cloud = await startCloudEnd(url, station);
    const { openMqttSession } = await import('../../../protocol/host/mqtt-session.ts');
    let crash = (): void => {};
    await startLink({
      url,
      mqttVersion,
      async openSession(options) {
        const session = await openMqttSession(options);
        crash = () => session.abort();
        return session;
      },
    });
    const { nonce } = await cloud.nth('presence', 1);
    crash();
    expect(await cloud.nth('presence', 2)).toEqual({ v: 1, online: false, nonce });
    expect(await retainedPresence(url)).toMatchObject({ online: false, nonce });
  });

  test('closing says goodbye with everything that was published before, and sends no will', async () => {
    const { url } = await start();
    const cloud = await startCloudEnd(url, station);
    const rig = await startLink({ url, mqttVersion, fill: (outbox) => outbox.append(visits(2), {}) });
    await drained(rig);
    const { nonce } = await cloud.nth('presence', 1);
    await rig.link.close();
    expect(await cloud.nth('presence', 2)).toEqual({ v: 1, online: false, nonce });
    // A will would come before a message that is published after the goodbye.
    const after = await connectAsync(url, { clientId: 'after', reconnectPeriod: 0 });
    await after.publishAsync(`stations/${station}/replies`, '{}', { qos: 1 });
    await after.endAsync();
    await cloud.nth('replies', 1);
    expect(cloud.of('presence')).toHaveLength(2);
    expect(await retainedPresence(url)).toMatchObject({ online: false });
  });
});
