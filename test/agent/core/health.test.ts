import { expect, test } from 'vitest';
import {
  believed,
  type Health,
  heard,
  overdue,
  reportedGone,
  startHealth,
  stirred,
  turned,
} from '../../../agent/core/health.ts';

const config = { flapMax: 3, flapWindowMs: 10_000, calmMs: 30_000 };

const being = (word: Health['word'], more: Partial<Health> = {}): Health => ({
  word,
  reason: '',
  heardMs: 1000,
  turnsMs: [],
  stillSinceMs: null,
  ...more,
});

test('a sensor is unknown until its first word, and not believed', () => {
  const health = startHealth(1000);
  expect(health).toMatchObject({ word: 'unknown', heardMs: 1000 });
  expect(believed(health)).toBe(false);
});

test.each<[Health['word'], boolean]>([
  ['ok', true],
  ['fault', true],
  ['silent', false],
  ['noisy', false],
  ['unknown', false],
])('a sensor that is %s is believed: %s', (word, expected) => {
  expect(believed(being(word))).toBe(expected);
});

test.each<{ what: string; given: Health; fault: string | null; word: Health['word']; changed: boolean }>([
  { what: 'the first word', given: startHealth(0), fault: null, word: 'ok', changed: true },
  { what: 'a further word', given: being('ok'), fault: null, word: 'ok', changed: false },
  { what: 'a word after silence', given: being('silent'), fault: null, word: 'ok', changed: true },
  { what: 'a fault of its own', given: being('ok'), fault: 'fault code 7', word: 'fault', changed: true },
  {
    what: 'the same fault',
    given: being('fault', { reason: 'fault code 7' }),
    fault: 'fault code 7',
    word: 'fault',
    changed: false,
  },
  {
    what: 'another fault',
    given: being('fault', { reason: 'fault code 7' }),
    fault: 'fault code 8',
    word: 'fault',
    changed: true,
  },
  {
    what: 'a fault that cleared',
    given: being('fault', { reason: 'fault code 7' }),
    fault: null,
    word: 'ok',
    changed: true,
  },
  { what: 'a good word after garbage', given: being('noisy'), fault: null, word: 'ok', changed: true },
  {
    what: 'flapping that is not calm yet',
    given: being('noisy', { stillSinceMs: 20_001 }),
    fault: null,
    word: 'noisy',
    changed: false,
  },
  {
    what: 'flapping that became calm',
    given: being('noisy', { stillSinceMs: 20_000 }),
    fault: null,
    word: 'ok',
    changed: true,
  },
])('$what: $word', ({ given, fault, word, changed }) => {
  const step = heard(given, 50_000, fault, config);
  expect({ word: step.health.word, changed: step.changed }).toEqual({ word, changed });
  expect(step.health.heardMs).toBe(50_000);
});

test('a door that turns more often than people do is noise, and says how often', () => {
  let step = { health: being('ok'), changed: false };
  const words = [];
  for (const atMs of [1000, 2000, 3000, 4500]) {
    step = turned(step.health, atMs, config);
    words.push(step.health.word);
  }
  expect(words).toEqual(['ok', 'ok', 'ok', 'noisy']);
  expect(step).toMatchObject({ changed: true, health: { reason: 'turned 4 times in 4 s' } });
});

test('as many turns over a longer time are people', () => {
  let health = being('ok');
  for (let atMs = 0; atMs < 200_000; atMs += 3334) health = turned(health, atMs, config).health;
  expect(health.word).toBe('ok');
  expect(health.turnsMs).toHaveLength(4);
});

test('what flaps has to keep still from its last turn on, believed or not', () => {
  let health = being('ok');
  for (const atMs of [1000, 2000, 3000, 4500]) health = turned(health, atMs, config).health;
  health = stirred(health, 20_000);
  expect(heard(health, 49_999, null, config).health.word).toBe('noisy');
  const calm = heard(health, 50_000, null, config).health;
  expect(calm.word).toBe('ok');
  expect(stirred(calm, 60_000)).toBe(calm);
});

test.each<{ what: string; given: Health; nowMs: number; rejected: number; word: Health['word']; reason: string }>([
  { what: 'heard just now', given: being('ok'), nowMs: 15_999, rejected: 9, word: 'ok', reason: '' },
  {
    what: 'not heard for the time',
    given: being('ok'),
    nowMs: 16_000,
    rejected: 0,
    word: 'silent',
    reason: 'no word for 15 s',
  },
  {
    what: 'never heard',
    given: startHealth(1000),
    nowMs: 16_000,
    rejected: 0,
    word: 'silent',
    reason: 'no word for 15 s',
  },
  {
    what: 'not heard while bytes came',
    given: being('ok'),
    nowMs: 16_000,
    rejected: 1,
    word: 'noisy',
    reason: 'no good word for 15 s while bytes came',
  },
  {
    what: 'garbage since it fell silent',
    given: being('silent', { reason: 'no word for 15 s' }),
    nowMs: 60_000,
    rejected: 4,
    word: 'noisy',
    reason: 'no good word for 15 s while bytes came',
  },
])('$what: $word', ({ given, nowMs, rejected, word, reason }) => {
  const step = overdue(given, nowMs, 15_000, rejected);
  expect(step.health).toMatchObject({ word, reason });
  expect(step.changed).toBe(word !== given.word);
});

test('silence is said once', () => {
  const silent = overdue(being('ok'), 16_000, 15_000, 0).health;
  expect(overdue(silent, 17_000, 15_000, 0)).toEqual({ health: silent, changed: false });
});

test('a gateway that says its device is gone makes it silent at once, with its reason', () => {
  const gone = reportedGone(being('ok'), 'tasmota: Offline');
  expect(gone).toMatchObject({ changed: true, health: { word: 'silent', reason: 'tasmota: Offline' } });
  expect(reportedGone(gone.health, 'tasmota: Offline').changed).toBe(false);
});
