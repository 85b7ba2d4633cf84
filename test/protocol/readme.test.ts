import { describe, expect, test } from 'vitest';
import { formatBoardLine, parseBoardLine } from '../../protocol/board-line.ts';
import { decode, encode, sequenceEvents } from '../../protocol/codec.ts';
import { crc16Hex } from '../../protocol/crc16.ts';
import { agentEventKinds, doorAlarms, eventSchema, portStates, sensorHealths } from '../../protocol/events.ts';
import { downChannels, retainedChannels, upChannels } from '../../protocol/topics.ts';
import { shownBoardLines, shownDumps, shownMessages, shownTable } from './readme.ts';

describe('the board lines of protocol/README.md', () => {
  test('are all there: the worked example and both wraps', () => {
    expect(shownBoardLines).toHaveLength(9);
    expect(shownDumps).toHaveLength(1);
  });

  test.each(shownBoardLines)('%s is a good line and comes out again byte by byte', (line) => {
    expect(parseBoardLine(line)).toMatchObject({ ok: true, report: expect.anything(), unknownFields: [] });
    const [board = '', n, sensor = '', ...fields] = line.slice(1, -5).split(',');
    const formatted = formatBoardLine({
      board,
      n: Number(n),
      sensor,
      fields: Object.fromEntries(fields.map((field) => field.split('='))),
    });
    expect(formatted).toBe(`${line}\r\n`);
  });

  test('say what the prose says', () => {
    const said = shownBoardLines.map((line) => parseBoardLine(line));
    expect(said).toMatchObject([
      { board: 'A7', n: 0, sensor: 'board', report: { kind: 'board', upS: 0, fw: '1.4.2' } },
      { n: 1, sensor: 'door', report: { kind: 'door', open: true, locked: false } },
      { n: 2, sensor: 'people', report: { kind: 'people', in: 1, out: 0, present: true } },
      { n: 3, sensor: 'water', report: { tankPct: 78, hotC: 91.5, coldC: 9, ml: 240, leak: false, filterPct: 64 } },
      { n: 4, sensor: 'port-1', report: { kind: 'port', mw: 11250, mwh: 830, fault: 0 } },
      { n: 5, sensor: 'env', report: { tempC: 22.5, rhPct: 48, co2Ppm: 612, smoke: false, mains: true } },
      { n: 6, sensor: 'button', report: { kind: 'button', sos: 0 } },
      { n: 65_535, report: { kind: 'door', open: false, locked: true } },
      { n: 0, report: { kind: 'people', in: 4_294_967_295, out: 17 } },
    ]);
  });

  test('the hex dump is the second line with its line end', () => {
    expect(shownDumps[0]?.toString('latin1')).toBe(`${shownBoardLines[1]}\r\n`);
  });

  const rows = shownTable('sensor', 'fields').flatMap(([sensor = '', fields = '']) =>
    [...fields.matchAll(/(\*\*)?`([a-z0-9]+)=(0\/1)?`/g)].map(([, bold, field = '', flag]) => ({
      sensor: sensor.replaceAll(/[`…]/g, ''),
      field,
      must: bold !== undefined,
      flag: flag !== undefined,
    })),
  );

  test('its table has every sensor and field', () => {
    expect(rows).toHaveLength(24);
  });

  test.each(rows)('$sensor knows $field, needs it: $must, is 0/1: $flag', ({ sensor, field, must, flag }) => {
    const others = rows.filter((row) => row.sensor === sensor && row.must && row.field !== field);
    const read = (...fields: string[]) => {
      const body = ['A7,1', sensor, ...others.map((other) => `${other.field}=1`), ...fields].join(',');
      return parseBoardLine(`$${body}*${crc16Hex(body)}`);
    };
    expect(read(`${field}=1`)).toMatchObject({ ok: true, unknownFields: [] });
    expect(read()).toMatchObject(must ? { ok: false, cause: 'missing-field' } : { ok: true });
    expect(read(`${field}=2`).ok).toBe(!flag);
  });
});

describe('the messages of protocol/README.md', () => {
  test('are a whole connection, in the order in which it is told', () => {
    expect(shownMessages.map(({ channel }) => channel)).toEqual([
      'presence',
      'hello',
      'state',
      'welcome',
      'events',
      'ack',
    ]);
  });

  test.each(shownMessages)('$channel is decoded whole, and encoded again', ({ channel, json }) => {
    const shown = JSON.parse(json);
    expect(decode(channel, Buffer.from(json))).toEqual({ ok: true, message: shown });
    expect(JSON.parse(encode(channel, shown).toString())).toEqual(shown);
  });

  test('every event is valid, the first with the sequence that the batch says', () => {
    const batch = JSON.parse(shownMessages.find(({ channel }) => channel === 'events')?.json ?? '');
    expect(sequenceEvents(batch)).toMatchObject([
      { valid: true, first: 1, last: 1, event: { kind: 'agent', what: 'started' } },
      { valid: true, first: 2, last: 2, event: { kind: 'people', in: 1, out: 0, inside: 1 } },
    ]);
  });

  test('speak of one connection: nonce, session and epoch agree', () => {
    const all = shownMessages.map(({ json }) => JSON.parse(json));
    const values = (field: string) => new Set(all.flatMap((message) => message[field] ?? []));
    expect(values('nonce').size).toBe(1);
    expect(values('session').size).toBe(1);
    expect(values('epoch').size).toBe(1);
  });
});

describe('the tables of protocol/README.md', () => {
  test('topics: every channel with its direction and whether it is retained', () => {
    const channels = shownTable('topic', 'direction').flatMap(([topics = '', direction = '', retained]) =>
      [...topics.matchAll(/[a-z]+/g)].map(([channel], index) => ({
        channel,
        direction: direction.split('/')[index]?.trim().split(';')[0] ?? direction,
        retained: retained === 'yes',
      })),
    );
    const known = (list: readonly (typeof upChannels | typeof downChannels)[number][], direction: string) =>
      list.map((channel) => ({ channel, direction, retained: retainedChannels.has(channel) }));
    const byName = (a: { channel: string }, b: { channel: string }) => a.channel.localeCompare(b.channel);
    expect(channels.toSorted(byName)).toEqual(
      [...known(upChannels, 'up'), ...known(downChannels, 'down')].toSorted(byName),
    );
  });

  test('events: every kind with every field', () => {
    const shown = shownTable('kind', 'fields').map(([kind = '', fields = '']) => [
      kind.replaceAll('`', ''),
      [...fields.matchAll(/`([a-zA-Z0-9]+)\??`/g)].map(([, name = '']) => name),
    ]);
    for (const option of eventSchema.options) {
      const { kind, at: _at, sensor: _sensor, atIs: _is, atMin: _min, atMax: _max, ...own } = option.shape;
      const row = new Map(shown as [string, string[]][]).get(kind.value);
      expect(row, kind.value).toEqual(expect.arrayContaining(Object.keys(own)));
    }
    expect(shown).toHaveLength(eventSchema.options.length);
  });

  test.each([
    { of: 'door', words: doorAlarms },
    { of: 'port', words: portStates },
    { of: 'sensor', words: sensorHealths },
    { of: 'agent', words: agentEventKinds },
    { of: 'people', words: ['counted', 'presence', 'door', 'quiet-hour', 'floor'] },
    { of: 'gap', words: ['trimmed', 'thinned', 'purged', 'corrupt'] },
  ])('$of: every word that it may say', ({ of, words }) => {
    const row = shownTable('kind', 'fields').find(([kind]) => kind === `\`${of}\``);
    for (const word of words) expect(row?.[1]).toContain(`\`${word}\``);
  });
});
