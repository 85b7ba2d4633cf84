import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tasmotaDevices, zigbeeDevices } from '../../simulator/devices/local-devices.ts';
import { cliAddStation } from '../support/cloud-cli.ts';
import { logged, startCloudProgram, startProgram } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait.ts';
import { isLive } from './feed.ts';
import { patientMs, runAgent, station, stationFile, verified } from './rig.ts';
import { ownEvents } from './store.ts';

test('a simulated station with every fault that a flag brings is told right', { timeout: 180_000 }, async () => {
  const directory = tempDir();
  const cloudData = join(directory, 'cloud');
  const ledger = join(directory, 'ledger');
  const { password } = await cliAddStation(cloudData, station);
  const cloud = await startCloudProgram(cloudData);
  const world = ['--seed', '3', '--speed', '480', '--visits', '900', '--ports', '3'];
  const wire = [
    '--garble',
    '0.03',
    '--drop',
    '0.03',
    '--unplug-every',
    '9',
    '--unplug-for',
    '1',
    '--restart-every',
    '13',
  ];
  const uplink = ['--uplink', `mqtt://127.0.0.1:${cloud.mqttPort}`, '--cut-uplink-every', '7', '--cut-uplink-for', '1'];
  const place = ['--station', station, '--ledger', ledger, '--json'];
  const simulated = startProgram('simulator', ['station', ...world, ...wire, ...uplink, ...place]);
  const told = await logged(simulated, '"board"');
  expect(told).toEqual({
    station,
    board: expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
    localBroker: expect.stringMatching(/^mqtt:/),
    uplink: expect.stringMatching(/^mqtt:/),
  });
  const reach = (url: unknown) =>
    stationFile(directory, {
      cloud: { url: String(url), password },
      sensors: [
        { driver: 'board', port: told['board'], silentAfterS: 6 },
        { driver: 'zigbee2mqtt', broker: told['localBroker'], devices: zigbeeDevices },
        { driver: 'tasmota', broker: told['localBroker'], devices: tasmotaDevices },
      ],
      reportIntervalS: 5,
      measureEveryS: 2,
      link: { backoffFirstS: 0.2, backoffMaxS: 1 },
    });
  const file = reach(told['uplink']);
  const agent = runAgent(file);
  await isLive(cloud);
  for (const seen of ['input rejected', 'lines lost', 'sensor source closed', 'link is down', 'board restarted'])
    await logged(agent, seen, patientMs);

  expect(await simulated.kill('SIGTERM')).toBe(0);
  await waitFor('a board that is heard no more', () => isOver(file.dataDir), patientMs);
  // The uplink ended with the simulator: the agent gets the cloud's own address.
  reach(`mqtt://127.0.0.1:${cloud.mqttPort}`);
  const linked = (): number => agent.stdout.filter((line) => line.includes('link is up')).length;
  const before = linked();
  agent.child.kill('SIGHUP');
  await waitFor('the link to be up', () => linked() > before, patientMs);
  expect(await agent.kill('SIGTERM')).toBe(0);
  expect(await logged(agent, '"reason":"SIGTERM","drained":')).toMatchObject({ drained: true });
  await verified(ledger, cloudData);
});

/** Whether the agent heard the board to its end: silent or, after a garbled line, noisy. */
function isOver(agentDir: string): boolean {
  const words = new Map(
    ownEvents(agentDir).flatMap((event) => (event.kind === 'sensor' ? [[event.sensor, event.health]] : [])),
  );
  return ['people', 'water', 'port-1'].every((sensor) => words.get(sensor) !== 'ok');
}
