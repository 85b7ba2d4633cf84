import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Disk, nodeDisk } from '../../../agent/outbox/disk.ts';
import { noOutbox } from '../../../agent/outbox/no-outbox.ts';
import { newId } from './rig.ts';
import { overridden, startWriter } from './writer-rig.ts';

const ballastBytes = 100_000;

/** A disk with this much room that counts what is laid down on it. */
function roomy(bytes: number | null): { disk: Disk; laid: number[] } {
  const laid: number[] = [];
  const disk: Disk = {
    ...nodeDisk,
    preallocate(path, size) {
      laid.push(size);
      nodeDisk.preallocate(path, size);
    },
    free: () => (bytes === null ? null : { bytes, pct: 1 }),
  };
  return { disk, laid };
}

test.each([
  { room: 'room for two', bytes: 200_000, laid: [100_000] },
  { room: 'less than room for two', bytes: 199_999, laid: [] },
  { room: 'room that cannot be told', bytes: null, laid: [100_000] },
])('with $room the ballast is laid $laid.length times, and then left alone', async ({ bytes, laid }) => {
  const { disk, laid: done } = roomy(bytes);
  const { writer, conditions } = await startWriter({ disk, ballastBytes });
  for (let look = 0; look < 3; look++) writer.tick();
  expect(done).toEqual(laid);
  expect(conditions).toEqual([]);
});

test('a ballast that got shorter in the configuration, or longer, is laid again as far as it is needed', async () => {
  const { disk, laid } = roomy(1e9);
  const first = await startWriter({ disk, ballastBytes });
  first.writer.tick();
  await first.outbox.close();
  const longer = await startWriter({ disk, ballastBytes: 200_000, dataDir: first.dataDir });
  longer.writer.tick();
  await longer.outbox.close();
  const shorter = await startWriter({ disk, ballastBytes, dataDir: first.dataDir });
  shorter.writer.tick();
  expect(laid).toEqual([100_000, 200_000]);
});

test('half a ballast is removed again: it holds the room that something else needs', async () => {
  const disk: Disk = {
    ...nodeDisk,
    preallocate(path, bytes) {
      nodeDisk.preallocate(path, bytes / 2);
      throw new Error('ENOSPC: no space left on device, write');
    },
  };
  const { writer, ballast } = await startWriter({ disk, ballastBytes });
  writer.tick();
  expect(nodeDisk.exists(ballast)).toBe(false);
});

test('a disk is not ok while events wait for it', async () => {
  let full = true;
  const rig = await startWriter({
    ballastBytes,
    wrap: (outbox) =>
      overridden(outbox, (real) => ({
        append: async (entries, memory) => (full ? { ok: false, why: 'disk-full' } : real.append(entries, memory)),
      })),
  });
  rig.in();
  await rig.writer.flush();
  rig.writer.tick();
  expect(rig.writer.condition).toBe('full');
  full = false;
  await rig.clock.advance(5000);
  rig.writer.tick();
  expect(rig.conditions).toEqual(['full', 'ok']);
});

test('no ballast is laid while there is no outbox: the card is dead, and its errors are nobody’s failure', async () => {
  const disk: Disk = {
    ...nodeDisk,
    preallocate() {
      throw new Error('EIO: i/o error, open');
    },
    remove() {
      throw new Error('EIO: i/o error, unlink');
    },
  };
  const standIn = noOutbox({ instance: newId(), newId });
  const { writer } = await startWriter({ disk, wrap: () => standIn });
  expect(() => writer.tick()).not.toThrow();
});

test('a closed writer leaves the ballast as it is', async () => {
  const { writer, ballast } = await startWriter({ ballastBytes });
  writeFileSync(ballast, 'short');
  writer.close();
  writer.tick();
  expect(nodeDisk.sizeBytes(ballast)).toBe(5);
});
