import { describe, expect, test } from 'vitest';
import { isUpChannel, mayPublish, maySubscribe, parseTopic, retainedChannels, topicOf } from '../../protocol/topics.ts';

const up = ['presence', 'hello', 'state', 'events', 'replies'] as const;
const down = ['welcome', 'reset', 'ack', 'config', 'commands'] as const;

test.each([...up, ...down])('the topic of %s is written and read', (channel) => {
  expect(topicOf('tunxi-laojie', channel)).toBe(`stations/tunxi-laojie/${channel}`);
  expect(parseTopic(`stations/tunxi-laojie/${channel}`)).toEqual({ station: 'tunxi-laojie', channel });
  expect(isUpChannel(channel)).toBe((up as readonly string[]).includes(channel));
});

test('presence, state and config are retained and nothing else is', () => {
  expect([...retainedChannels].toSorted()).toEqual(['config', 'presence', 'state']);
});

test.each(['a', '7', '-', 'a'.repeat(48)])('a station may be called %s', (station) => {
  expect(parseTopic(`stations/${station}/ack`)).toEqual({ station, channel: 'ack' });
});

test.each([
  '',
  'stations',
  'stations/',
  'stations/a',
  'stations/a/',
  'stations//state',
  'stations/a/state/',
  'stations/a/state/b',
  'stations/a/b/state',
  '/stations/a/state',
  'Stations/a/state',
  'station/a/state',
  'stations/a/State',
  'stations/a/status',
  'stations/a/constructor',
  'stations/A/state',
  'stations/a b/state',
  'stations/a_b/state',
  'stations/../state',
  'stations/./state',
  'stations/a%2fb/state',
  'stations/驿站/state',
  'stations/a\n/state',
  'stations/+/state',
  'stations/#',
  'stations/a/#',
  'stations/a/+',
  '#',
  '+/a/state',
  '$SYS/broker/version',
  '$share/g/stations/a/state',
  `stations/${'a'.repeat(49)}/state`,
])('%j is no topic of the protocol', (topic) => {
  expect(parseTopic(topic)).toBeNull();
});

describe('a station', () => {
  test.each(up)('publishes its %s and nobody else’s', (channel) => {
    expect(mayPublish('a', `stations/a/${channel}`)).toBe(true);
    expect(mayPublish('a', `stations/b/${channel}`)).toBe(false);
    expect(mayPublish('a', `stations/aa/${channel}`)).toBe(false);
    expect(mayPublish('aa', `stations/a/${channel}`)).toBe(false);
  });

  test.each(down)('subscribes to its %s and nobody else’s', (channel) => {
    expect(maySubscribe('a', `stations/a/${channel}`)).toBe(true);
    expect(maySubscribe('a', `stations/b/${channel}`)).toBe(false);
    expect(maySubscribe('aa', `stations/a/${channel}`)).toBe(false);
  });

  test.each(up)('does not subscribe to its own %s', (channel) => {
    expect(maySubscribe('a', `stations/a/${channel}`)).toBe(false);
  });

  test.each(down)('does not publish its own %s', (channel) => {
    expect(mayPublish('a', `stations/a/${channel}`)).toBe(false);
  });

  test.each([
    '#',
    '+',
    '+/+/+',
    'stations/#',
    'stations/+/ack',
    'stations/+/state',
    'stations/a/#',
    'stations/a/+',
    'stations/a',
    'stations/a/ack/#',
    '$SYS/#',
    '$share/g/stations/a/ack',
    '$share/g/stations/a/state',
    'stations/a/../b/ack',
    'stations/a/../b/state',
    '',
  ])('is refused %j', (topic) => {
    expect(mayPublish('a', topic)).toBe(false);
    expect(maySubscribe('a', topic)).toBe(false);
  });

  test.each(['+', '#', '', 'a/b', '../a', 'A', 'a'.repeat(49)])(
    'whose name is %j, and so none, is refused everything',
    (station) => {
      expect(mayPublish(station, `stations/${station}/state`)).toBe(false);
      expect(maySubscribe(station, `stations/${station}/ack`)).toBe(false);
    },
  );
});
