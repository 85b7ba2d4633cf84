import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../protocol/host/clock.ts';
import type { StationState } from '../../protocol/state.ts';
import { tasmotaDevices, zigbeeDevices } from '../../simulator/devices/local-devices.ts';
import { startProxy, type TcpProxy } from '../../simulator/faults/proxy.ts';
import { type SimulatedStation, simulateStation } from '../../simulator/station.ts';
import { cliAddStation } from '../support/cloud-cli.ts';
import { logged, type Program } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { mosquittoWithRights } from './broker.ts';
import { readMetric } from './feed.ts';
import {
  type MortalCloud,
  mortalCloud,
  patiently,
  patientMs,
  runAgent,
  station,
  stationFile,
  verified,
} from './rig.ts';
import { countEvents, lastAt, rolledUp, savedState, storedEvents } from './store.ts';

const ordealMs = 300_000;
/** Retries that would take minutes in the field. */
const hasty = {
  link: { backoffFirstS: 0.2, backoffMaxS: 1, stableS: 1, noProgressS: 1.5, welcomeTimeoutS: 3 },
  reportIntervalS: 5,
  measureEveryS: 2,
};

test.each([
  { broker: 'the embedded aedes', own: false, rounds: 3 },
  { broker: 'mosquitto, that is killed too', own: true, rounds: 2 },
])(
  'no event is lost or doubled by cuts, kills, restarts and noise over $broker',
  { timeout: ordealMs },
  async ({ own, rounds }) => {
    const directory = tempDir();
    const cloudData = join(directory, 'cloud');
    const ledger = join(directory, 'ledger');
    const broker = own ? await mosquittoWithRights(directory, cloudData, [station]) : null;
    const password = broker?.passwords[station] ?? (await cliAddStation(cloudData, station)).password;
    const cloud = await mortalCloud(cloudData, broker ? ['--config', broker.cloudConfig] : []);
    const uplink = await uplinkTo(broker?.port ?? cloud.running().mqttPort);
    const simulated = await noisyStation(ledger);
    const file = stationFile(directory, {
      cloud: { url: `mqtt://127.0.0.1:${uplink.port}`, password },
      sensors: sensorsOf(simulated),
      ...hasty,
    });
    let agent = runAgent(file);
    await logged(agent, 'link is up', patientMs);

    for (let round = 0; round < rounds; round++) {
      await life(cloudData);
      simulated.board.restart();
      // What a board said in the instant before its power went would go with an agent that is killed
      // in the same instant. A station's clock may be 2 s off.
      const settledMs = systemClock.wallMs() + 2000;
      await waitFor('the board to go on', () => lastAt(cloudData, 'people') > settledMs, patientMs);

      await agent.kill('SIGKILL');
      agent = runAgent(file);
      await logged(agent, 'link is up', patientMs);

      await life(cloudData);
      const before = await duplicates(cloud);
      uplink.holdAnswers();
      await expect.poll(() => duplicates(cloud), patiently).toBeGreaterThan(before);
      uplink.mend();

      await breaks(agent, () => uplink.cut());
      uplink.mend();
      await life(cloudData);

      await breaks(agent, () => cloud.killAndRestart(), !own);
      await life(cloudData);
      if (!broker) continue;
      await breaks(agent, () => broker.stop('SIGKILL'));
      await broker.start();
    }

    await waitFor('hundreds of events', () => countEvents(cloudData) >= 300, patientMs);
    // The counters of a board wait until it is sure that it did not restart unseen.
    const { epoch } = await logged(agent, 'agent started');
    await waitFor(
      'an agent that trusts what it hears',
      () => {
        const state = savedState(cloudData);
        return state && state.epoch === epoch && state.agent.uptimeS >= 12;
      },
      patientMs,
    );
    await simulated[Symbol.asyncDispose]();
    await waitFor('a board that is heard no more', () => isOver(savedState(cloudData)), patientMs);
    expect(await agent.kill('SIGTERM')).toBe(0);
    expect(await logged(agent, 'agent stopped')).toMatchObject({ drained: true });

    const { total } = await verified(ledger, cloudData);
    expect(total.events).toBeGreaterThanOrEqual(300);
    const epochs = storedEvents(cloudData).flatMap(({ event }) =>
      event.kind === 'agent' && event.what === 'started' ? 1 : [],
    );
    expect(epochs).toHaveLength(rounds + 1);
  },
);

function sensorsOf({ boardAddress, localBroker }: SimulatedStation): object[] {
  return [
    { driver: 'board', port: boardAddress, silentAfterS: 6 },
    { driver: 'zigbee2mqtt', broker: localBroker, devices: zigbeeDevices, pollS: 2 },
    { driver: 'tasmota', broker: localBroker, devices: tasmotaDevices, pollS: 2 },
  ];
}

async function noisyStation(ledgerDir: string): Promise<SimulatedStation> {
  const simulated = await simulateStation(
    {
      station,
      seed: 11,
      speed: 960,
      visitsPerDay: 900,
      boardPorts: 2,
      faults: { garble: 0.02, drop: 0.03, unplugEveryS: 9, unplugForS: 1, restartEveryS: 0 },
      ledgerDir,
      settleMs: 6000,
      wire: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      localBrokerPort: 0,
    },
    systemClock,
  );
  onTestFinished(() => simulated[Symbol.asyncDispose]());
  return simulated;
}

async function uplinkTo(port: number): Promise<TcpProxy> {
  const uplink = await startProxy({ host: '127.0.0.1', port });
  onTestFinished(() => uplink[Symbol.asyncDispose]());
  return uplink;
}

/** Whether the agent heard the board to its end: silent or, after a garbled line, noisy. */
function isOver(state: StationState | undefined): boolean {
  return ['people', 'water', 'port-1'].every((sensor) => state?.sensors[sensor]?.health !== 'ok');
}

function duplicates(cloud: MortalCloud): Promise<number> {
  return readMetric(cloud.running().http, 'yizhan_ingest_duplicates_total');
}

/** Someone comes or goes, and it reaches the store. */
async function life(cloudData: string): Promise<void> {
  const moves = (): number => {
    const { visits, leaves } = rolledUp(cloudData);
    return visits + leaves;
  };
  const before = moves();
  await waitFor('someone who comes or goes', () => moves() > before, patientMs);
}

/** Does it, and waits until the agent noticed that its link is gone. */
async function breaks(agent: Program, how: () => unknown, noticed = true): Promise<void> {
  const downs = (): number => agent.stdout.filter((line) => line.includes('link is down')).length;
  const before = downs();
  await how();
  if (noticed) await waitFor('the link to be down', () => downs() > before, patientMs);
}
