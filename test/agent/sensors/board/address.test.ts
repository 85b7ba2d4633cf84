import { expect, test } from 'vitest';
import { openWire, parseTcpAddress } from '../../../../agent/sensors/board/address.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { openDeaf } from '../wires.ts';

test.each<{ address: string; target: { host: string; port: number } | null }>([
  { address: 'tcp://10.0.0.7:8899', target: { host: '10.0.0.7', port: 8899 } },
  { address: 'tcp://serial-server.local:1', target: { host: 'serial-server.local', port: 1 } },
  { address: 'tcp://[fe80::1]:65535', target: { host: 'fe80::1', port: 65_535 } },
  { address: 'tcp://10.0.0.7:0', target: null },
  { address: 'tcp://10.0.0.7:65536', target: null },
  { address: 'tcp://10.0.0.7', target: null },
  { address: 'tcp://:8899', target: null },
  { address: 'tcp://fe80::1:8899', target: null },
  { address: 'tcp://10.0.0.7:8899/', target: null },
  { address: 'tcp://user@10.0.0.7:88x', target: null },
  { address: 'TCP://10.0.0.7:8899', target: null },
  { address: 'mqtt://10.0.0.7:1883', target: null },
  { address: '/dev/ttyS3', target: null },
  { address: '', target: null },
])('$address is $target', ({ address, target }) => {
  expect(parseTcpAddress(address)).toEqual(target);
});

const line = { baud: 115_200, dataBits: 8, parity: 'none', stopBits: 1 } as const;
const running = (): AbortSignal => new AbortController().signal;

test('a port that is not there is told with the system’s reason', async () => {
  const port = `${tempDir()}/ttyUSB9`;
  await expect(openWire({ ...line, port }, running())).rejects.toThrow(/No such file/);
});

test('a serial server that refuses is told so', async () => {
  await expect(openWire({ ...line, port: 'tcp://127.0.0.1:1' }, running())).rejects.toThrow(/ECONNREFUSED/);
});

test('an open that nobody answers ends when it is stopped', async () => {
  const stopping = new AbortController();
  const opening = openWire({ ...line, port: await openDeaf() }, stopping.signal);
  stopping.abort();
  await expect(opening).rejects.toThrow('stopped');
});
