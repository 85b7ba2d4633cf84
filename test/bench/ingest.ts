import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPassword, newPassword } from '../../cloud/broker/credentials.ts';
import { stationInputSchema, toRecord } from '../../cloud/register/input.ts';
import { openSqliteStore } from '../../cloud/store/sqlite-store.ts';
import type { PublishJob } from './parts/station-publisher.ts';
import { type Bench, messageOf, type Rig, ratioFigure } from './rig.ts';

const stationCount = 200;

/** Durable ingest through the embedded broker, against what bare mosquitto passes on. */
export const ingestBench: Bench = {
  name: 'ingest',
  what: 'single-event batches of 200 stations, acknowledged after their commit, against bare mosquitto to an idle subscriber',
  async run(rig) {
    const messages = rig.option('messages', 200_000);
    const rounds = rig.option('rounds', 3);
    const durable: number[] = [];
    const bare: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      rig.progress(`ingest: round ${round} of ${rounds}`);
      durable.push(await cloudRate(rig, messages, round));
      bare.push(await mosquittoRate(rig, messages));
    }
    return [
      ratioFigure('durable ingest', 'events/s', median(durable), { name: 'bare mosquitto', value: median(bare) }, 1),
    ];
  },
};

async function cloudRate(rig: Rig, messages: number, round: number): Promise<number> {
  const dataDir = join(rig.directory, `cloud-${round}`);
  const logins = await registerStations(dataDir, stationCount);
  const config = join(rig.directory, 'cloud.yaml');
  writeFileSync(config, `dataDir: ${dataDir}\nhttp: { port: 0 }\nmqtt: { port: 0 }\nlogLevel: info\n`);
  const cloud = rig.program('cloud', ['serve', '--config', config]);
  const { mqtt } = await cloud.started('cloud started');
  const publisher = rig.fork('station-publisher.ts');
  publisher.send({
    port: Number(mqtt),
    stations: logins,
    messages,
    inFlight: 32,
    answers: 'acks',
  } satisfies PublishJob);
  const { messages: done, seconds } = await messageOf<{ messages: number; seconds: number }>(publisher);
  publisher.kill();
  await cloud.end();
  return done / seconds;
}

async function mosquittoRate(rig: Rig, messages: number): Promise<number> {
  const broker = await rig.mosquitto();
  const stations = Array.from({ length: stationCount }, (_, index) => ({ id: `bench-${index}`, password: 'none' }));
  const expected = Math.floor(messages / stationCount) * stationCount;
  const subscriber = rig.fork('subscriber.ts');
  subscriber.send({ url: broker.url, expected });
  await messageOf(subscriber);
  const publisher = rig.fork('station-publisher.ts');
  const received = messageOf<{ received: number; seconds: number }>(subscriber);
  publisher.send({ port: broker.port, stations, messages, inFlight: 32, answers: 'pubacks' } satisfies PublishJob);
  const { received: count, seconds } = await received;
  publisher.kill();
  return count / seconds;
}

/** Stations of a bench, put into a store as the register would. */
export async function registerStations(dataDir: string, count: number): Promise<{ id: string; password: string }[]> {
  await using store = openSqliteStore(join(dataDir, 'cloud.db'));
  const logins = Array.from({ length: count }, (_, index) => ({ id: `bench-${index}`, password: newPassword() }));
  await store.addStations(
    logins.map(({ id, password }) => ({
      record: toRecord(
        stationInputSchema.parse({ id, name: id, region: '341002', lat: 29.7, lng: 118.3, capacity: 12 }),
      ),
      credential: hashPassword(password),
    })),
  );
  return logins;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
