import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { ReadlineParser } from '@serialport/parser-readline';
import mqtt from 'mqtt';

/**
 * A bare relay without storage: board lines from a wire, MQTT.js to a broker, MQTT.js back, and
 * server-sent events. `publish` is its station end, `serve` its cloud end; each a child process.
 */
export type RelayJob = { role: 'publish'; wirePort: number; url: string } | { role: 'serve'; url: string };

process.on('message', (job: RelayJob) => {
  if (job.role === 'publish') void publish(job.wirePort, job.url);
  else void serve(job.url);
});

async function publish(wirePort: number, url: string): Promise<void> {
  const client = await mqtt.connectAsync(url);
  const lines = connect(wirePort, '127.0.0.1').pipe(new ReadlineParser({ delimiter: '\n' }));
  lines.on('data', (line: string) => client.publish('relay', JSON.stringify({ line }), { qos: 1 }));
  process.send?.({ ready: true });
}

async function serve(url: string): Promise<void> {
  const clients = new Set<ServerResponse>();
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    clients.add(response);
  });
  const client = await mqtt.connectAsync(url);
  client.on('message', (_topic, payload) => {
    for (const response of clients) response.write(`data: ${payload.toString()}\n\n`);
  });
  await client.subscribeAsync('relay', { qos: 1 });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' && address ? address.port : 0 });
  });
}
