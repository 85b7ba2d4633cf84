import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError } from '../../../protocol/host/config-error.ts';
import { rawConnection } from '../../support/raw-mqtt.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { connect, openEmbedded, other, ours } from './embedded-rig.ts';

/** A certificate for 127.0.0.1 that signs itself. */
function certificate(): { cert: string; key: string } {
  const directory = tempDir();
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

test('with a certificate the broker speaks TLS, to whoever trusts it', async () => {
  const tls = certificate();
  const rig = await openEmbedded({ tls });
  const url = `mqtts://127.0.0.1:${rig.port}`;
  const client = await connect(url, { ca: tls.cert });
  await client.publishAsync(`stations/${ours}/hello`, 'over TLS', { qos: 1 });
  expect(rig.taken).toMatchObject([{ station: ours, text: 'over TLS' }]);
  await expect(connect(url)).rejects.toThrow(/self-signed/);
  await expect(connect(url, { ca: tls.cert, password: 'wrong' })).rejects.toThrow(/Bad username or password/);
});

test('a client without TLS gets nowhere', async () => {
  const rig = await openEmbedded({ tls: certificate(), connectTimeoutMs: 300 });
  await expect(rig.connect()).rejects.toThrow();
  expect(rig.broker.connections()).toBe(0);
});

test('a handshake that never ends counts as a connection, and is ended in the time for a login', async () => {
  const tls = certificate();
  const rig = await openEmbedded({ tls, maxConnections: 2, connectTimeoutMs: 1000 });
  const waiting = [await rawConnection(rig.port), await rawConnection(rig.port)];
  const third = await rawConnection(rig.port);
  await third.closed();
  expect(rig.counts()).toEqual({ 'too many connections': 1 });
  await Promise.all(waiting.map((raw) => raw.closed()));
  const client = await connect(`mqtts://127.0.0.1:${rig.port}`, { ca: tls.cert, username: other });
  expect(client.connected).toBe(true);
});

test.each<[what: string, tls: (good: { cert: string; key: string }) => { cert: string; key: string }]>([
  ['no certificate', ({ key }) => ({ cert: 'no certificate', key })],
  ['no key', ({ cert }) => ({ cert, key: 'no key' })],
  ['another certificate’s key', ({ cert }) => ({ cert, key: certificate().key })],
])('%s is a mistake of the configuration', async (_what, tls) => {
  await expect(openEmbedded({ tls: tls(certificate()) })).rejects.toThrow(ConfigError);
});
