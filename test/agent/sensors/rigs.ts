import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import type { DriverConfig } from '../../../agent/config.ts';
import { agentConfigSchema } from '../../../agent/config-schema.ts';
import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import { formatBoardLine } from '../../../protocol/board-line.ts';
import { openPty } from '../../support/pty.ts';
import { openBroker, openServer } from './wires.ts';

/** The other end of one driver's wire, as a test plays it. */
export type Rig = {
  config: DriverConfig;
  /** Says that the door is open, or shut. */
  door: (open: boolean) => Promise<void>;
  /** The reading that this is. */
  reading: (open: boolean) => DriverEvent;
  /** Input that is no reading, and what the driver tells of it. */
  bad: readonly { what: string; say: () => Promise<void>; told: Partial<DriverEvent> }[];
  /** As much garbage as the wire takes. */
  garbage: () => Promise<void>;
  unplug: () => Promise<void>;
  plugIn: () => Promise<void>;
  /** Connections or descriptors that the driver holds now. */
  held: () => number;
};

/** A driver's part of a station's configuration, checked and completed as the product does it. */
export function driverConfig(driver: object): DriverConfig {
  const cloud = { url: 'mqtt://127.0.0.1:1', username: 's', password: 'p' };
  const [parsed] = agentConfigSchema.parse({ station: 's', dataDir: '/nowhere', cloud, sensors: [driver] }).sensors;
  if (!parsed) throw new Error('no driver');
  return { ...parsed, name: `${parsed.driver}-1` };
}

/** What a board says on whatever wire: `write` carries its bytes. */
function boardEnd(write: (bytes: string | Buffer) => Promise<void>) {
  let n = 0;
  const line = (sensor: string, fields: Record<string, string | number>): string => {
    n += 1;
    return formatBoardLine({ board: 'A7', n, sensor, fields });
  };
  const bad = (what: string, text: () => string, told: Partial<DriverEvent>) => ({
    what,
    say: () => write(text()),
    told,
  });
  return {
    door: (open: boolean) => write(line('door', { open: open ? 1 : 0 })),
    reading: (open: boolean): DriverEvent => ({
      type: 'reading',
      board: 'board-1/A7',
      reading: { kind: 'door', sensor: 'door', open },
    }),
    bad: [
      bad('a bad CRC', () => line('door', { open: 1 }).replace('open=1', 'open=0'), { type: 'rejected', cause: 'crc' }),
      bad('no frame', () => 'hello, world\r\n', { type: 'rejected', cause: 'syntax' }),
      bad('bytes of another speed', () => '\x80\xf1\x00\xc7\r\n', { type: 'rejected', cause: 'non-ascii' }),
      bad('an endless line', () => `$${'A'.repeat(5000)}\n`, { type: 'rejected', cause: 'overlong' }),
      bad('a value out of its range', () => line('water', { tank: 140 }), { type: 'rejected', cause: 'range' }),
      bad('a field too few', () => line('door', { locked: 1 }), { type: 'rejected', cause: 'missing-field' }),
      bad('a sensor that nobody knows', () => line('lamp', { lit: 1 }), { type: 'unknown', what: 'sensor lamp' }),
      bad('a field that nobody knows', () => line('door', { open: 1, colour: 3 }), {
        type: 'unknown',
        what: 'field colour of door',
      }),
    ],
    async garbage() {
      const noise = Buffer.alloc(64 * 1024, 0xa5);
      for (let at = 100; at < noise.length; at += 997) noise[at] = 0x0a;
      for (let times = 0; times < 8; times += 1) await write(noise);
      await write(Buffer.alloc(512 * 1024, 0x55));
      await write('\n');
    },
  };
}

export async function boardOnTty(): Promise<Rig> {
  const pty = await openPty();
  const device = realpathSync(pty.path);
  return {
    ...boardEnd(pty.write),
    config: driverConfig({ driver: 'board', port: pty.path }),
    unplug: pty.unplug,
    plugIn: pty.plugIn,
    held: () => readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).split(' ')[0] === device).length,
  };
}

/** Of a descriptor that may be gone again. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

export async function boardOnTcp(): Promise<Rig & { say: (bytes: string) => Promise<void> }> {
  const server = await openServer((socket) => socket.resume());
  const write = async (bytes: string | Buffer): Promise<void> => {
    const data = Buffer.from(bytes as string, 'latin1');
    for (const socket of server.sockets) await new Promise<void>((resolve) => socket.write(data, () => resolve()));
  };
  return {
    ...boardEnd(write),
    say: write,
    config: driverConfig({ driver: 'board', port: `tcp://127.0.0.1:${server.port()}` }),
    unplug: server.close,
    plugIn: server.listen,
    held: () => server.sockets.size,
  };
}

async function gateway(
  config: (broker: string) => object,
  topic: string,
  payload: (open: boolean) => object,
  reading: (open: boolean) => DriverEvent,
): Promise<Rig> {
  const broker = await openBroker();
  const bad = (what: string, text: string, told: Partial<DriverEvent>) => ({
    what,
    say: () => broker.say({ topic, payload: text }),
    told,
  });
  return {
    config: driverConfig(config(broker.url)),
    door: (open) => broker.say({ topic, payload: JSON.stringify(payload(open)) }),
    reading,
    bad: [
      bad('no JSON', '{"contact":tr', { type: 'rejected', cause: 'json' }),
      bad('JSON that is no object', '[true]', { type: 'rejected', cause: 'json' }),
      bad('nothing', '', { type: 'rejected', cause: 'json' }),
      bad('bytes that are no text', '\u0000\ufffd', { type: 'rejected', cause: 'json' }),
      bad('an object of something else', '{"battery":97}', { type: 'unknown' }),
      bad('a huge message', JSON.stringify({ filler: 'x'.repeat(20_000) }), { type: 'rejected', cause: 'too-large' }),
    ],
    async garbage() {
      for (let n = 0; n < 2000; n += 1)
        await broker.say({ topic, payload: n % 50 === 0 ? 'x'.repeat(17_000) : `{"n":${n}` });
    },
    unplug: broker.unplug,
    plugIn: broker.plugIn,
    held: broker.held,
  };
}

export const zigbee = (): Promise<Rig> =>
  gateway(
    (broker) => ({ driver: 'zigbee2mqtt', broker, devices: { 'back-door': 'door-2' } }),
    'zigbee2mqtt/back-door',
    (open) => ({ contact: !open, battery: 97 }),
    (open) => ({ type: 'reading', board: null, reading: { kind: 'door', sensor: 'door-2', open } }),
  );

export const tasmota = (): Promise<Rig> =>
  gateway(
    (broker) => ({ driver: 'tasmota', broker, devices: { 'plug-1': 'port-5' } }),
    'tele/plug-1/SENSOR',
    (open) => ({ ENERGY: { Power: open ? 9 : 0, Total: 1 } }),
    (open) => ({
      type: 'reading',
      board: null,
      reading: { kind: 'port', sensor: 'port-5', mw: open ? 9000 : 0, mwh: 1_000_000 },
    }),
  );
