import { randomBytes } from 'node:crypto';
import mqtt, { type MqttClient } from 'mqtt';

/**
 * Publishes single-event batches of many stations at QoS 1 by the library that stations use. A child
 * process: its parent sends the job and gets `{messages, seconds}` once everything was answered.
 */
export type PublishJob = {
  port: number;
  stations: readonly { id: string; password: string }[];
  messages: number;
  /** Publishes of one connection without PUBACK, at most. */
  inFlight: number;
  /** Done with the last commit ack (a cloud), or with the last PUBACK (a bare broker). */
  answers: 'acks' | 'pubacks';
};

type Station = {
  client: MqttClient;
  id: string;
  epoch: string;
  session: string;
  next: number;
  acked: number;
  inFlight: number;
  done: boolean;
};

process.on('message', (job: PublishJob) => {
  void publishAll(job).then((result) => process.send?.(result));
});

async function publishAll(job: PublishJob): Promise<{ messages: number; seconds: number }> {
  const share = Math.floor(job.messages / job.stations.length);
  const { promise, resolve } = Promise.withResolvers<void>();
  let open = job.stations.length;
  const answered = (station: Station): void => {
    const all = job.answers === 'acks' ? station.acked >= share : station.next > share && station.inFlight === 0;
    if (!all || station.done) return;
    station.done = true;
    open -= 1;
    if (open === 0) resolve();
  };
  const stations = await Promise.all(job.stations.map((login) => join(job, login, answered)));
  const start = performance.now();
  for (const station of stations) pump(station, job, share, answered);
  await promise;
  const seconds = (performance.now() - start) / 1000;
  for (const { client } of stations) client.end(true);
  return { messages: share * stations.length, seconds };
}

/** Connects and, at a cloud, takes a session. */
async function join(
  job: PublishJob,
  { id, password }: { id: string; password: string },
  answered: (station: Station) => void,
): Promise<Station> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${job.port}`, {
    clientId: id,
    username: id,
    password,
    clean: true,
  });
  const station: Station = {
    client,
    id,
    epoch: randomBytes(16).toString('hex'),
    session: 'none',
    next: 1,
    acked: 0,
    inFlight: 0,
    done: false,
  };
  if (job.answers === 'pubacks') return station;
  await client.subscribeAsync([`stations/${id}/welcome`, `stations/${id}/ack`], { qos: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  client.on('message', (_topic, payload) => {
    const message: { session: string; upTo?: number } = JSON.parse(payload.toString());
    if (message.upTo === undefined) {
      station.session = message.session;
      resolve();
    } else {
      station.acked = Math.max(station.acked, message.upTo);
      answered(station);
    }
  });
  const { epoch } = station;
  const hello = {
    v: 1,
    nonce: 'bench',
    instance: epoch,
    agent: 'bench',
    configHash: 'bench',
    epochs: [{ id: epoch, oldest: 1, last: 0, acked: 0 }],
  };
  client.publish(`stations/${id}/hello`, JSON.stringify(hello), { qos: 1 });
  await promise;
  return station;
}

function pump(station: Station, job: PublishJob, share: number, answered: (station: Station) => void): void {
  while (station.inFlight < job.inFlight && station.next <= share) {
    station.inFlight += 1;
    station.client.publish(`stations/${station.id}/events`, batch(station), { qos: 1 }, () => {
      station.inFlight -= 1;
      pump(station, job, share, answered);
      answered(station);
    });
  }
}

function batch(station: Station): string {
  const first = station.next++;
  const at = 1_795_399_200_000 + first * 1000;
  const event = `{"at":${at},"kind":"people","sensor":"people","in":1,"out":0,"inside":${first % 9},"basis":"counted"}`;
  return `{"v":1,"session":"${station.session}","epoch":"${station.epoch}","first":${first},"events":[${event}]}`;
}
