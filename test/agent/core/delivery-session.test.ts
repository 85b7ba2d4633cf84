import { expect, test } from 'vitest';
import { Delivery, epoch, send, sending, streaming } from './delivery-steps.ts';

const hello = (nonce: string, ...epochs: object[]) => ({ type: 'hello', nonce, epochs });

test('a connection says hello, with every epoch in the order of their making', () => {
  const delivery = new Delivery();
  const epochs = [epoch('e1', 40, 30, 11), epoch('e2', 5)];
  expect(delivery.connect(...epochs)).toEqual([hello('n1', ...epochs)]);
});

test('nothing is sent before a welcome, whatever happens', () => {
  const delivery = new Delivery();
  const inputs = [
    ...delivery.step({ type: 'clock', set: true }),
    ...delivery.step({ type: 'appended', epoch: 'e1', last: 50 }),
    ...delivery.step({ type: 'tick' }),
    ...delivery.welcome({ e1: 0 }, { nonce: 'n1' }),
    ...delivery.connect(epoch('e1', 50)).filter(({ type }) => type !== 'hello'),
    ...delivery.step({ type: 'appended', epoch: 'e1', last: 60 }),
    ...delivery.step({ type: 'clock', set: true }),
    ...delivery.step({ type: 'hello-again' }),
    ...delivery.ack('e1', 20),
    ...delivery.tickAt(19_999),
  ];
  expect(inputs).toEqual([]);
  expect(delivery.welcome({ e1: 0 })).toContainEqual(send('e1', 1));
});

test('a welcome counts for the current nonce only, and once', () => {
  const delivery = new Delivery();
  delivery.step({ type: 'clock', set: true });
  delivery.connect(epoch('e1', 50));
  expect(delivery.welcome({ e1: 0 }, { nonce: 'n0' })).toEqual([]);
  expect(delivery.welcome({ e1: 0 })).toContainEqual(send('e1', 1));
  expect(delivery.welcome({ e1: 20 }, { session: 's2' })).toEqual([]);
  expect(delivery.ack('e1', 10, 's2')).toEqual([]);
  expect(delivery.state.epochs[0]?.acked).toBe(0);
});

test('a welcome of the connection before is none of this one', () => {
  const delivery = new Delivery();
  delivery.connect(epoch('e1', 50));
  delivery.step({ type: 'disconnected' });
  expect(delivery.welcome({ e1: 50 })).toEqual([]);
  delivery.connect(epoch('e1', 50));
  expect(delivery.welcome({ e1: 50 }, { nonce: 'n1' })).toEqual([]);
  expect(delivery.welcome({ e1: 50 }, { nonce: 'n2' })).toContainEqual({ type: 'acked', epoch: 'e1', upTo: 50 });
});

test('acknowledgements count in their own session alone', () => {
  const delivery = sending([epoch('e1', 100)]);
  expect(delivery.ack('e1', 10, 's0')).toEqual([]);
  delivery.step({ type: 'reset', session: 's1' });
  expect(delivery.ack('e1', 10)).toEqual([]);
  delivery.welcome({ e1: 0 }, { session: 's2' });
  expect(delivery.ack('e1', 10, 's1')).toEqual([]);
  expect(delivery.ack('e1', 10, 's2')[0]).toEqual({ type: 'acked', epoch: 'e1', upTo: 10 });
  delivery.step({ type: 'disconnected' });
  expect(delivery.ack('e1', 20, 's2')).toEqual([]);
});

test('a reset of this session says hello again; one of another session, or before a welcome, does not', () => {
  const delivery = new Delivery();
  delivery.connect(epoch('e1', 9));
  expect(delivery.step({ type: 'reset', session: 's1' })).toEqual([]);
  delivery.welcome({ e1: 3 });
  expect(delivery.step({ type: 'reset', session: 's0' })).toEqual([]);
  expect(delivery.step({ type: 'reset', session: 's1' })).toEqual([hello('n2', epoch('e1', 9, 3))]);
  expect(delivery.step({ type: 'reset', session: 's1' })).toEqual([]);
});

test.each([
  { random: 0, dueMs: 20_000 },
  { random: 0.999_999, dueMs: 30_000 },
])('a hello without a welcome is repeated after $dueMs ms, by chance, with a fresh nonce', ({ random, dueMs }) => {
  const delivery = new Delivery();
  delivery.random = random;
  delivery.connect(epoch('e1', 9));
  expect(delivery.dueMs()).toBeCloseTo(dueMs, -1);
  expect(delivery.tickAt(dueMs - 1)).toEqual([]);
  expect(delivery.tickAt(dueMs)).toEqual([hello('n2', epoch('e1', 9))]);
  expect(delivery.welcome({ e1: 0 }, { nonce: 'n1' })).toEqual([]);
  expect(delivery.welcome({ e1: 0 }, { nonce: 'n2' })).not.toEqual([]);
});

test('an idle station asks again after some minutes, and nothing is sent until it is told', () => {
  const delivery = sending([epoch('e1', 9, 9)]);
  expect(delivery.dueMs()).toBe(300_000);
  expect(delivery.tickAt(299_999)).toEqual([]);
  expect(delivery.tickAt(300_000)).toEqual([hello('n2', epoch('e1', 9, 9))]);
  expect(delivery.step({ type: 'appended', epoch: 'e1', last: 10 })).toEqual([]);
  expect(delivery.welcome({ e1: 9 }, { session: 's2' })).toContainEqual(send('e1', 10, 's2'));
});

test('an acknowledgement that advances puts the next hello off, one that does not leaves it due', () => {
  const delivery = sending([epoch('e1', 100)]);
  delivery.nowMs = 200_000;
  delivery.ack('e1', 10);
  expect(delivery.state.rehelloAtMs).toBe(500_000);
  delivery.nowMs = 400_000;
  delivery.ack('e1', 10);
  expect(delivery.state.rehelloAtMs).toBe(500_000);
});

test('a cloud that acknowledges nothing any more is asked again after some minutes', () => {
  const delivery = sending([epoch('e1', 100)]);
  const kinds: string[] = [];
  for (let nowMs = 1000; nowMs <= 300_000; nowMs += 1000) {
    const effects = delivery.tickAt(nowMs);
    kinds.push(...effects.map(({ type }) => type));
    delivery.answer(effects);
  }
  expect(kinds.filter((type) => type === 'send')).toHaveLength(14);
  expect(kinds.at(-1)).toBe('hello');
});

test('hello-again asks about everything at once, while there is a session', () => {
  const delivery = streaming([epoch('e1', 9, 9), epoch('e2', 4, 4)]);
  expect(delivery.step({ type: 'hello-again' })).toEqual([hello('n2', epoch('e1', 9, 9), epoch('e2', 4, 4))]);
  delivery.step({ type: 'disconnected' });
  expect(delivery.step({ type: 'hello-again' })).toEqual([]);
});

test('offline, nothing is due', () => {
  const delivery = sending([epoch('e1', 100)]);
  delivery.step({ type: 'disconnected' });
  expect(delivery.dueMs()).toBe(Number.POSITIVE_INFINITY);
  expect(delivery.tickAt(1e9)).toEqual([]);
});
