import { connect } from 'node:net';
import mqtt from 'mqtt';

/** An idle Node process that holds the same port and MQTT connection open, and does nothing with them. */
process.on('message', ({ wirePort, url }: { wirePort: number; url: string }) => {
  const socket = connect(wirePort, '127.0.0.1');
  socket.on('data', () => {});
  mqtt.connect(url, { keepalive: 30 }).on('connect', () => process.send?.({ ready: true }));
});
