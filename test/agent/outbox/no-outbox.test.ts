import { expect, test } from 'vitest';
import { noOutbox } from '../../../agent/outbox/no-outbox.ts';
import { limits, newId, visit } from './rig.ts';

const instance = '5f0c8a4be1d94c0e9a7712d3c4b5a697';
const standIn = () => noOutbox({ instance, newId });

test('the stand-in says that it keeps nothing, and accepts no event', async () => {
  const outbox = standIn();
  const epoch = outbox.currentEpoch();
  expect(epoch).toMatch(/^[0-9a-f]{32}$/);
  expect({ durable: outbox.durable, instance: outbox.instance, recovered: outbox.recovered }).toEqual({
    durable: false,
    instance,
    recovered: null,
  });
  expect(await outbox.append([visit(1)], { people: '1' })).toEqual({ ok: true, epoch, last: 0 });
  expect(outbox.positions()).toEqual([{ id: epoch, oldest: 1, last: 0, acked: 0 }]);
  expect(await outbox.read(epoch, 1, limits)).toBeNull();
  expect(await outbox.memory()).toEqual({});
  expect(outbox.use()).toEqual({ rows: 0, bytes: 0 });
  expect(await outbox.oldestUnacked()).toBeNull();
});

test('the stand-in takes part in the rest of a station’s life', async () => {
  const outbox = standIn();
  const first = outbox.currentEpoch();
  const second = await outbox.openEpoch();
  expect(second).not.toBe(first);
  expect(outbox.positions().map(({ id }) => id)).toEqual([second]);
  const anchor = { boot: 'boot-1', monoMs: 1, wallMs: 2, source: 'cloud' as const };
  await outbox.anchor(anchor);
  expect(outbox.anchors()).toEqual([anchor]);
  outbox.acknowledge(second, 4);
  expect([await outbox.purge(second, 4), await outbox.trim(4)]).toEqual([
    0,
    { rows: 0, measurements: 0, transitions: 0 },
  ]);
  await outbox.maintain();
  await outbox.close();
});

test('two stand-ins do not share an epoch: the cloud orders what each of them says', () => {
  expect(standIn().currentEpoch()).not.toBe(standIn().currentEpoch());
});
