import { expect, test } from 'vitest';
import { isDrained } from '../../../agent/core/delivery-state.ts';
import { Delivery, epoch, send, sending, streaming } from './delivery-steps.ts';

test('sends from the first that is not acknowledged, oldest epoch first, as far as the window goes', () => {
  const delivery = streaming([epoch('e1', 25, 5), epoch('e2', 100)]);
  expect(delivery.answer(delivery.step({ type: 'clock', set: true }))).toEqual([
    ['e1', 6, 15],
    ['e1', 16, 25],
    ['e2', 1, 10],
    ['e2', 11, 20],
  ]);
  expect(delivery.step({ type: 'tick' })).toEqual([]);
});

test('one batch is read at a time', () => {
  const delivery = streaming([epoch('e1', 100)]);
  expect(delivery.step({ type: 'clock', set: true })).toEqual([send('e1', 1)]);
  expect(delivery.step({ type: 'appended', epoch: 'e1', last: 120 })).toEqual([]);
  expect(delivery.step({ type: 'tick' })).toEqual([]);
  expect(delivery.sent('e1', 1, 10)).toEqual([send('e1', 11)]);
});

test('an acknowledgement that advances makes room for as many batches as it covers', () => {
  const delivery = sending([epoch('e1', 200)]);
  const one = delivery.ack('e1', 10);
  expect(one[0]).toEqual({ type: 'acked', epoch: 'e1', upTo: 10 });
  expect(delivery.answer(one)).toEqual([['e1', 41, 50]]);
  expect(delivery.answer(delivery.ack('e1', 35))).toEqual([
    ['e1', 51, 60],
    ['e1', 61, 70],
  ]);
});

test.each<{ what: string; id: string; upTo: number }>([
  { what: 'the same again', id: 'e1', upTo: 10 },
  { what: 'less than before', id: 'e1', upTo: 4 },
  { what: 'nothing', id: 'e1', upTo: 0 },
  { what: 'an epoch that nobody knows', id: 'e9', upTo: 10 },
])('an acknowledgement of $what sends nothing and changes nothing', ({ id, upTo }) => {
  const delivery = sending([epoch('e1', 200)]);
  delivery.answer(delivery.ack('e1', 10));
  const before = delivery.state;
  expect(delivery.ack(id, upTo)).toEqual([]);
  expect(delivery.state).toEqual(before);
});

test.each([
  { random: 0, dueMs: 20_000 },
  { random: 0.5, dueMs: 25_000 },
])('without progress for $dueMs ms everything unacknowledged goes again', ({ random, dueMs }) => {
  const delivery = streaming([epoch('e1', 15), epoch('e2', 30)]);
  delivery.random = random;
  delivery.answer(delivery.step({ type: 'clock', set: true }));
  delivery.nowMs = 7000;
  delivery.answer(delivery.ack('e1', 10));
  expect(delivery.dueMs()).toBe(7000 + dueMs);
  expect(delivery.tickAt(7000 + dueMs - 1)).toEqual([]);
  expect(delivery.answer(delivery.tickAt(7000 + dueMs))).toEqual([
    ['e1', 11, 15],
    ['e2', 1, 10],
    ['e2', 11, 20],
    ['e2', 21, 30],
  ]);
  expect(delivery.dueMs()).toBe(7000 + 2 * dueMs);
});

test('while nothing is in flight nothing is sent again', () => {
  const delivery = sending([epoch('e1', 20)]);
  delivery.ack('e1', 20);
  expect(delivery.tickAt(100_000)).toEqual([]);
  expect(delivery.dueMs()).toBe(300_000);
});

test('the wait begins with the first batch in flight, not with the last', () => {
  const delivery = sending([epoch('e1', 5)]);
  delivery.nowMs = 15_000;
  delivery.answer(delivery.step({ type: 'appended', epoch: 'e1', last: 6 }));
  expect(delivery.answer(delivery.tickAt(20_000))).toEqual([['e1', 1, 6]]);
});

test('a new event goes at once where the window has room, and waits where it has none', () => {
  const idle = sending([epoch('e1', 7, 7)]);
  expect(idle.step({ type: 'appended', epoch: 'e1', last: 8 })).toEqual([send('e1', 8)]);
  const busy = sending([epoch('e1', 40)]);
  expect(busy.step({ type: 'appended', epoch: 'e1', last: 41 })).toEqual([]);
  expect(busy.answer(busy.ack('e1', 10))).toEqual([['e1', 41, 41]]);
});

test('while the clock is not set events wait; once it is they go', () => {
  const delivery = streaming([epoch('e1', 10)]);
  expect(delivery.step({ type: 'appended', epoch: 'e1', last: 20 })).toEqual([]);
  expect(delivery.tickAt(60_000)).toEqual([]);
  expect(delivery.step({ type: 'clock', set: true })).toEqual([send('e1', 1)]);
  delivery.sent('e1', 1, 10);
  delivery.sent('e1', 11, 20);
  delivery.step({ type: 'clock', set: false });
  expect(delivery.step({ type: 'appended', epoch: 'e1', last: 30 })).toEqual([]);
});

test('a batch that was read before a rewind is not taken for the one that is read now', () => {
  const delivery = streaming([epoch('e1', 100)]);
  delivery.step({ type: 'clock', set: true });
  delivery.step({ type: 'reset', session: 's1' });
  expect(delivery.sent('e1', 1, 10)).toEqual([]);
  expect(delivery.welcome({ e1: 30 }, { session: 's2' })).toContainEqual(send('e1', 31, 's2'));
  expect(delivery.sent('e1', 1, 10)).toEqual([]);
  expect(delivery.state.inFlight).toEqual([]);
});

test('what was acknowledged while it was read again is not in flight', () => {
  const delivery = sending([epoch('e1', 20)]);
  const again = delivery.tickAt(20_000);
  expect(again).toEqual([send('e1', 1)]);
  delivery.ack('e1', 20);
  delivery.sent('e1', 1, 10);
  expect(delivery.state.inFlight).toEqual([]);
  expect(delivery.dueMs()).toBe(320_000);
});

test('a batch that was asked for and never came holds up no later session', () => {
  const delivery = streaming([epoch('e1', 100)]);
  delivery.step({ type: 'clock', set: true });
  delivery.step({ type: 'hello-again' });
  expect(delivery.welcome({ e1: 0 }, { session: 's2' })).toContainEqual(send('e1', 1, 's2'));
});

test('an outbox that has nothing to send ends the reading, and a later event begins a new one', () => {
  const delivery = streaming([epoch('e1', 10)]);
  delivery.step({ type: 'clock', set: true });
  expect(delivery.step({ type: 'nothing-to-send' })).toEqual([]);
  expect(delivery.step({ type: 'appended', epoch: 'e1', last: 11 })).toEqual([send('e1', 1)]);
});

test('batches go no faster than the rate, also from a full window on, and time that passed idle adds no more', () => {
  const delivery = streaming([epoch('e1', 1000)], { maxBatchesPerS: 2, windowBatches: 3 });
  delivery.nowMs = 60_000;
  expect(delivery.answer(delivery.step({ type: 'clock', set: true }))).toHaveLength(3);
  expect(delivery.answer(delivery.ack('e1', 30))).toEqual([]);
  expect(delivery.dueMs()).toBe(60_500);
  expect(delivery.tickAt(60_400)).toEqual([]);
  expect(delivery.dueMs()).toBeCloseTo(60_500, 6);
  delivery.nowMs = 60_500;
  expect(delivery.ack('e1', 30)).toEqual([]);
  expect(delivery.answer(delivery.tickAt(60_500))).toEqual([['e1', 31, 40]]);
  let sent = 0;
  for (let nowMs = 60_510; nowMs <= 70_500; nowMs += 10) {
    sent += delivery.answer(delivery.tickAt(nowMs)).length;
    delivery.nowMs = nowMs;
    sent += delivery.answer(delivery.ack('e1', delivery.state.epochs[0]?.sent ?? 0)).length;
  }
  expect(sent).toBe(20);
});

test('a rate below one a second is kept, too', () => {
  const delivery = streaming([epoch('e1', 100)], { maxBatchesPerS: 0.5, windowBatches: 1 });
  delivery.answer(delivery.step({ type: 'clock', set: true }));
  delivery.ack('e1', 10);
  expect(delivery.dueMs()).toBe(2000);
  expect(delivery.answer(delivery.tickAt(2000))).toEqual([['e1', 11, 20]]);
});

test('epochs that were purged are forgotten, and the others begin where they begin now', () => {
  const delivery = sending([epoch('e1', 20, 20), epoch('e2', 50, 40)]);
  expect(delivery.step({ type: 'purged', epochs: [epoch('e2', 50, 40, 31)] })).toEqual([]);
  expect(delivery.step({ type: 'hello-again' })).toMatchObject([{ epochs: [epoch('e2', 50, 40, 31)] }]);
});

test('is drained once everything of every epoch is acknowledged', () => {
  const delivery = sending([epoch('e1', 5), epoch('e2', 5)]);
  expect(isDrained(delivery.state)).toBe(false);
  delivery.ack('e2', 5);
  expect(isDrained(delivery.state)).toBe(false);
  delivery.ack('e1', 5);
  expect(isDrained(delivery.state)).toBe(true);
  expect(isDrained(new Delivery().state)).toBe(true);
});
