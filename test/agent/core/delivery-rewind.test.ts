import { expect, test } from 'vitest';
import { isDrained } from '../../../agent/core/delivery-state.ts';
import { Delivery, epoch, send, sending, streaming } from './delivery-steps.ts';

const acked = (id: string, upTo: number) => ({ type: 'acked', epoch: id, upTo });
const covered = (id: string, upTo: number) => ({ type: 'covered', epoch: id, upTo });
const alarm = (kind: string, id: string, before: number, upTo: number) => ({
  type: 'alarm',
  alarm: kind,
  epoch: id,
  acked: before,
  upTo,
});

test.each<{ what: string; stored: Record<string, number>; effects: object[]; first: number | null }>([
  { what: 'as much as before', stored: { e1: 60 }, effects: [covered('e1', 60)], first: 61 },
  { what: 'more than before', stored: { e1: 80 }, effects: [acked('e1', 80), covered('e1', 80)], first: 81 },
  { what: 'everything', stored: { e1: 100 }, effects: [acked('e1', 100), covered('e1', 100)], first: null },
  {
    what: 'less than before',
    stored: { e1: 20 },
    effects: [alarm('rewound', 'e1', 60, 20), acked('e1', 20), covered('e1', 20)],
    first: 21,
  },
  {
    what: 'nothing of it',
    stored: {},
    effects: [alarm('rewound', 'e1', 60, 0), acked('e1', 0), covered('e1', 0)],
    first: 1,
  },
])('a welcome that covers $what: sends from $first', ({ stored, effects, first }) => {
  const delivery = new Delivery();
  delivery.step({ type: 'clock', set: true });
  delivery.connect(epoch('e1', 100, 60));
  expect(delivery.welcome(stored)).toEqual([...effects, ...(first === null ? [] : [send('e1', first)])]);
});

test('a restored cloud makes every epoch go again, in their order', () => {
  const delivery = sending([epoch('e1', 30, 30), epoch('e2', 20, 20)]);
  delivery.tickAt(300_000);
  const effects = delivery.welcome({ e1: 10, e2: 0 }, { session: 's2' });
  expect(effects.filter(({ type }) => type === 'alarm')).toEqual([
    alarm('rewound', 'e1', 30, 10),
    alarm('rewound', 'e2', 20, 0),
  ]);
  expect(delivery.answer(effects)).toEqual([
    ['e1', 11, 20],
    ['e1', 21, 30],
    ['e2', 1, 10],
    ['e2', 11, 20],
  ]);
});

test('an acknowledgement never lowers what a welcome said', () => {
  const delivery = sending([epoch('e1', 100, 60)]);
  expect(delivery.ack('e1', 20)).toEqual([]);
  expect(delivery.state.epochs[0]?.acked).toBe(60);
});

test.each<{ what: string; tell: (delivery: Delivery) => readonly object[] }>([
  { what: 'a welcome', tell: (delivery) => delivery.welcome({ e1: 45, e2: 0 }) },
  {
    what: 'an acknowledgement',
    tell(delivery) {
      delivery.welcome({ e1: 10, e2: 0 });
      return delivery.ack('e1', 45).filter(({ type }) => type !== 'send');
    },
  },
])('$what ahead of a closed epoch: the card rolled back; it counts as acknowledged', ({ tell }) => {
  const delivery = new Delivery();
  delivery.connect(epoch('e1', 30, 10), epoch('e2', 5));
  const effects = tell(delivery);
  expect(effects.filter((effect) => 'epoch' in effect && effect.epoch === 'e1')).toEqual([
    alarm('ack-ahead-closed', 'e1', 10, 45),
    acked('e1', 30),
    covered('e1', 30),
  ]);
  expect(effects).not.toContainEqual({ type: 'open-epoch' });
  expect(delivery.state.epochs[0]).toMatchObject({ acked: 30, last: 30 });
});

test.each<{ what: string; tell: (delivery: Delivery) => readonly object[] }>([
  { what: 'a welcome', tell: (delivery) => delivery.welcome({ e1: 45 }) },
  {
    what: 'an acknowledgement',
    tell(delivery) {
      delivery.welcome({ e1: 10 });
      return delivery.ack('e1', 45);
    },
  },
])('$what ahead of the current epoch: nothing is covered, a new epoch begins', ({ tell }) => {
  const delivery = new Delivery();
  delivery.connect(epoch('e1', 30, 10));
  expect(tell(delivery)).toEqual([alarm('ack-ahead-current', 'e1', 10, 45), acked('e1', 30), { type: 'open-epoch' }]);
  expect(isDrained(delivery.state)).toBe(true);
  delivery.step({ type: 'clock', set: true });
  expect(delivery.step({ type: 'epoch-opened', id: 'e2' })).toEqual([]);
  expect(delivery.step({ type: 'appended', epoch: 'e2', last: 1 })).toEqual([send('e2', 1)]);
});

test('an epoch that was opened while a welcome was under way goes on, too', () => {
  const delivery = new Delivery();
  delivery.step({ type: 'clock', set: true });
  delivery.connect(epoch('e1', 5, 5));
  delivery.step({ type: 'epoch-opened', id: 'e2' });
  delivery.step({ type: 'appended', epoch: 'e2', last: 3 });
  expect(delivery.welcome({ e1: 5 })).toEqual([covered('e1', 5), send('e2', 1)]);
});

const many = (n: number, more: { acked?: boolean } = {}) =>
  Array.from({ length: n }, (_, index) => epoch(`e${index + 1}`, 10, more.acked ? 10 : 0));

/** Answers hellos as a cloud that stores nothing until it is sent, and acknowledges every batch at once. */
function serve(
  delivery: Delivery,
  first: readonly object[],
  stored: Record<string, number> = {},
): { hellos: string[][]; sent: string[] } {
  const hellos: string[][] = [];
  const sent: string[] = [];
  const waiting = [...first] as ReturnType<Delivery['step']>;
  for (let effect = waiting.shift(); effect; effect = waiting.shift()) {
    if (hellos.length + sent.length > 1000) throw new Error('asks or sends without end');
    if (effect.type === 'hello') {
      hellos.push(effect.epochs.map(({ id }) => id));
      const known = Object.fromEntries(effect.epochs.map(({ id }) => [id, stored[id] ?? 0]));
      waiting.push(...delivery.welcome(known, { session: `s${hellos.length}` }));
    } else if (effect.type === 'send') {
      sent.push(effect.epoch);
      waiting.push(...delivery.sent(effect.epoch, effect.first, 10));
      stored[effect.epoch] = 10;
      waiting.push(...delivery.ack(effect.epoch, 10, effect.session));
    }
  }
  return { hellos, sent };
}

test('more epochs than one hello holds are told in several, the current one in each, oldest first', () => {
  const delivery = new Delivery();
  delivery.step({ type: 'clock', set: true });
  const { hellos, sent } = serve(delivery, delivery.connect(...many(150)));
  expect(hellos.map((ids) => ids.length)).toEqual([64, 64, 24]);
  expect(hellos.map((ids) => [ids[0], ids.at(-1)])).toEqual([
    ['e1', 'e150'],
    ['e64', 'e150'],
    ['e127', 'e150'],
  ]);
  expect(new Set(hellos.flat()).size).toBe(150);
  expect(sent).toHaveLength(150);
  expect(isDrained(delivery.state)).toBe(true);
});

test('many epochs that are stored are asked about to the last, while nothing is to be sent, once a round', () => {
  const delivery = new Delivery();
  const stored = Object.fromEntries(many(150).map(({ id }) => [id, 10]));
  const { hellos } = serve(delivery, delivery.connect(...many(150, { acked: true })), stored);
  expect(hellos.map((ids) => ids.length)).toEqual([64, 64, 24]);
  delivery.nowMs = 300_000;
  expect(serve(delivery, delivery.step({ type: 'tick' }), stored).hellos).toHaveLength(3);
});

test('the next ones are asked about only once the told ones are through: a hello forgets what is under way', () => {
  const delivery = streaming(many(100));
  delivery.answer(delivery.step({ type: 'clock', set: true }));
  const kinds = Array.from({ length: 63 }, (_, index) => {
    const effects = delivery.ack(`e${index + 1}`, 10);
    delivery.answer(effects);
    return effects.some(({ type }) => type === 'hello');
  });
  expect(kinds.indexOf(true)).toBe(-1);
  expect(delivery.ack('e100', 10)).toContainEqual(expect.objectContaining({ type: 'hello' }));
});

test('what a reset makes unknown is asked about again, in as many hellos', () => {
  const delivery = new Delivery();
  delivery.step({ type: 'clock', set: true });
  serve(delivery, delivery.connect(...many(100)));
  const { hellos, sent } = serve(delivery, delivery.step({ type: 'reset', session: 's2' }));
  expect(hellos.map((ids) => ids.length)).toEqual([64, 37]);
  expect(sent).toHaveLength(100);
});
