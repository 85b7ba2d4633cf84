import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { formatBoardLine } from '../../../../protocol/board-line.ts';
import { openPty } from '../../../support/pty.ts';
import { waitFor } from '../../../support/wait.ts';
import { RunningDriver } from '../driver-contract.ts';
import { boardOnTcp, boardOnTty, driverConfig } from '../rigs.ts';

const line = (n: number, open = 1): string => formatBoardLine({ board: 'A7', n, sensor: 'door', fields: { open } });

test.each([
  { what: 'tty', open: boardOnTty },
  { what: 'serial server', open: boardOnTcp },
])('a $what that is silent for 10 s is opened anew: an unplugged one may not say that it is', async ({ open }) => {
  const rig = await open();
  const driver = new RunningDriver(rig.config);
  await driver.next({ type: 'opened' });
  await driver.clock.advance(9999);
  expect(driver.events).toHaveLength(1);
  await driver.clock.advance(1);
  await driver.next({ type: 'closed', reason: 'no byte for 10 s' });
  await waitFor('the old wire to be let go', () => rig.held() === 0);
  await driver.clock.advance(250);
  await driver.next({ type: 'opened' });
  await waitFor('one wire', () => rig.held() === 1);
  await rig.door(true);
  await driver.next(rig.reading(true));
});

test('a wire that speaks is kept, whatever it says', async () => {
  const rig = await boardOnTcp();
  const driver = new RunningDriver(rig.config);
  await driver.next({ type: 'opened' });
  for (let times = 0; times < 4; times += 1) {
    await driver.clock.advance(9000);
    await rig.bad[1]?.say();
    await driver.next({ type: 'rejected' });
  }
  expect(driver.events.map(({ type }) => type)).not.toContain('closed');
});

test('a reading silence of its own is kept', async () => {
  const pty = await openPty();
  const driver = new RunningDriver(driverConfig({ driver: 'board', port: pty.path, readSilenceS: 60 }));
  await driver.next({ type: 'opened' });
  await driver.clock.advance(59_999);
  expect(driver.events).toHaveLength(1);
  await driver.clock.advance(1);
  await driver.next({ type: 'closed', reason: 'no byte for 60 s' });
});

test('what a tty kept from before it was opened is as old as nobody knows: it is dropped', async () => {
  const pty = await openPty();
  await pty.write(line(7, 1).repeat(20));
  await waitFor('the bytes to lie at the port', () => pty.carried() >= line(7).length * 20);
  const driver = new RunningDriver(driverConfig({ driver: 'board', port: pty.path }));
  await driver.next({ type: 'opened' });
  await pty.write(line(8, 0));
  await driver.next({ type: 'reading' });
  expect(driver.events).toEqual([
    { type: 'opened' },
    { type: 'board-unsettled', board: 'board-1/A7' },
    { type: 'reading', board: 'board-1/A7', reading: { kind: 'door', sensor: 'door', open: false } },
  ]);
});

test('a wire that came back within a minute shows what was lost meanwhile', async () => {
  const pty = await openPty();
  const driver = new RunningDriver(driverConfig({ driver: 'board', port: pty.path }));
  await driver.next({ type: 'opened' });
  await pty.write(line(7));
  await driver.next({ type: 'reading' });
  await pty.unplug();
  await driver.next({ type: 'closed' });
  await pty.plugIn();
  await driver.clock.advance(250);
  await driver.next({ type: 'opened' });
  await pty.write(line(12, 0));
  await driver.next({ type: 'lost-lines', board: 'board-1/A7', lines: 4 });
  await driver.next({ type: 'reading' });
});

test('a line that the unplugging cuts is rejected, and not glued to the next wire’s first', async () => {
  const rig = await boardOnTcp();
  const driver = new RunningDriver(rig.config);
  await driver.next({ type: 'opened' });
  await rig.say('$A7,1,door,op');
  await rig.unplug();
  await driver.next({ type: 'closed' });
  await rig.plugIn();
  await driver.clock.advance(250);
  await driver.next({ type: 'opened' });
  await rig.door(true);
  await driver.next(rig.reading(true));
  expect(driver.events.filter(({ type }) => type === 'rejected')).toMatchObject([{ cause: 'syntax' }]);
});

test('names of the configuration reach the decoder', async () => {
  const pty = await openPty();
  const config = { driver: 'board', port: pty.path, rename: { door: 'door-2' }, ignore: ['env'] };
  const driver = new RunningDriver(driverConfig(config));
  await driver.next({ type: 'opened' });
  await pty.write(formatBoardLine({ board: 'A7', n: 1, sensor: 'env', fields: { temp: 20 } }) + line(2));
  await driver.next({ type: 'reading' });
  expect(driver.events.flatMap((event) => (event.type === 'reading' ? [event.reading.sensor] : []))).toEqual([
    'door-2',
  ]);
});

test('a wire that never ends a line takes no memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const rig = await boardOnTcp();
  const driver = new RunningDriver(rig.config);
  await driver.next({ type: 'opened' });
  await rig.say('U'.repeat(1024));
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const noise = 'U'.repeat(1024 * 1024);
  for (let times = 0; times < 16; times += 1) await rig.say(noise);
  const grown = await waitFor('the memory to be as before', () => {
    collect();
    const bytes = process.memoryUsage().arrayBuffers - before;
    return bytes < 4 * 1024 * 1024 && { bytes };
  });
  expect(grown.bytes).toBeLessThan(4 * 1024 * 1024);
  expect(driver.events).toEqual([{ type: 'opened' }]);
  await rig.say('\n');
  await driver.next({ type: 'rejected', cause: 'overlong' });
});
