import mqtt from 'mqtt';

/** Bare MQTT.js: the same batches from memory, with the same window of unacknowledged ones. */
export type MemoryJob = { port: number; batches: number; eventsPerBatch: number; window: number; event: string };

process.on('message', (job: MemoryJob) => {
  void publish(job).then((seconds) => process.send?.({ seconds }));
});

async function publish({ port, batches, eventsPerBatch, window, event }: MemoryJob): Promise<number> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clean: true });
  await client.subscribeAsync('stations/bench/ack', { qos: 1 });
  const body = Array<string>(eventsPerBatch).fill(event).join(',');
  const epoch = '0'.repeat(32);
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  let acked = 0;
  const pump = (): void => {
    while (sent < batches && sent - acked < window) {
      const first = sent * eventsPerBatch + 1;
      sent += 1;
      client.publish(
        'stations/bench/events',
        `{"v":1,"session":"bench","epoch":"${epoch}","first":${first},"events":[${body}]}`,
        { qos: 1 },
      );
    }
  };
  client.on('message', (_topic, payload) => {
    const { upTo }: { upTo: number } = JSON.parse(payload.toString());
    acked = upTo / eventsPerBatch;
    if (acked === batches) resolve();
    else pump();
  });
  const start = performance.now();
  pump();
  await promise;
  client.end(true);
  return (performance.now() - start) / 1000;
}
