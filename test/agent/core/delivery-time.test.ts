import { expect, test } from 'vitest';
import { Delivery, epoch, streaming } from './delivery-steps.ts';

/** Two batches of e1 and one of e2 under way, sent at 1, 2 and 3 s. */
function underWay(): Delivery {
  const delivery = streaming([epoch('e1', 20), epoch('e2', 5)]);
  delivery.asked.length = 0;
  delivery.nowMs = 1000;
  delivery.step({ type: 'clock', set: true });
  for (const [id, first, upTo] of [
    ['e1', 1, 10],
    ['e1', 11, 20],
    ['e2', 1, 5],
  ] as const) {
    delivery.sent(id, first, upTo);
    delivery.nowMs += 1000;
  }
  return delivery;
}

test('a welcome tells the time to its own hello', () => {
  const delivery = new Delivery();
  delivery.nowMs = 1000;
  delivery.connect(epoch('e1', 5));
  delivery.tickAt(21_000);
  delivery.nowMs = 21_400;
  delivery.welcome({ e1: 0 }, { nonce: 'n1' });
  expect(delivery.asked).toEqual([]);
  delivery.welcome({ e1: 0 });
  expect(delivery.asked).toEqual([21_000]);
});

test.each<{ what: string; id: string; upTo: number; asked: number[] }>([
  { what: 'the first batch', id: 'e1', upTo: 10, asked: [1000] },
  { what: 'both batches', id: 'e1', upTo: 20, asked: [2000] },
  { what: 'one and a part of the next', id: 'e1', upTo: 15, asked: [1000] },
  { what: 'a part of the first', id: 'e1', upTo: 4, asked: [] },
  { what: 'another epoch’s batch', id: 'e2', upTo: 5, asked: [3000] },
  { what: 'nothing', id: 'e1', upTo: 0, asked: [] },
])('an acknowledgement of $what tells the time to what left last of it: $asked', ({ id, upTo, asked }) => {
  const delivery = underWay();
  delivery.ack(id, upTo);
  expect(delivery.asked).toEqual(asked);
});

test('an acknowledgement of another session, or a second one, tells no time', () => {
  const delivery = underWay();
  delivery.ack('e1', 10, 's0');
  expect(delivery.asked).toEqual([]);
  delivery.ack('e1', 10);
  delivery.ack('e1', 10);
  expect(delivery.asked).toEqual([1000]);
});

test('once batches went twice nobody can tell which of them is answered, until the next welcome', () => {
  const delivery = underWay();
  delivery.answer(delivery.tickAt(25_000));
  delivery.ack('e1', 20);
  expect(delivery.asked).toEqual([]);
  delivery.step({ type: 'hello-again' });
  delivery.nowMs = 26_000;
  delivery.answer(delivery.welcome({ e1: 20, e2: 0 }, { session: 's2' }));
  delivery.ack('e2', 5, 's2');
  expect(delivery.asked).toEqual([25_000, 26_000]);
});
