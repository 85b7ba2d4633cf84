import mqtt from 'mqtt';

/** An idle MQTT.js subscriber: a child process that counts what a broker passes to it. */
process.on('message', ({ url, expected }: { url: string; expected: number }) => {
  const client = mqtt.connect(url, { clean: true });
  let received = 0;
  let startMs = 0;
  client.on('message', () => {
    received += 1;
    if (received === 1) startMs = performance.now();
    if (received === expected) {
      process.send?.({ received, seconds: (performance.now() - startMs) / 1000 });
      client.end(true);
    }
  });
  client.on('connect', () => client.subscribe('stations/+/events', { qos: 1 }, () => process.send?.('ready')));
});
