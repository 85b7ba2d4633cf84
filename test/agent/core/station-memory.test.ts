import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyMemory, stationMemory } from '../../../agent/core/station-core.ts';
import { memoryRows, readMemoryRows } from '../../../agent/core/station-memory.ts';
import { button, door, people, plugSource, port, Station, water } from './station-steps.ts';

/** A station that has something to remember of every kind, one value of it held. */
function busy(): Station {
  const station = new Station()
    .hears(door(true))
    .hears(people(0, 0, true))
    .hears(people(3, 1))
    .hears(water(1000));
  station.hears({ kind: 'env', sensor: 'env', tempC: 20 }).hears(port(9000, 10)).hears(button(1)).hears(button(2));
  return station.up(100).hears(water(1200)).hears(port(9000, 50)).unsettled().hears(button(4));
}

test('a memory is the same after it was rows', () => {
  const memory = stationMemory(busy().core);
  const rows = memoryRows(memory);
  expect(Object.keys(rows).sort()).toEqual([
    'board:board-1/A7',
    'boot',
    'people',
    'sensor:button',
    'sensor:door',
    'sensor:env',
    'sensor:people',
    'sensor:port-1',
    'sensor:water',
  ]);
  expect(readMemoryRows(rows)).toEqual({ memory, damaged: [] });
});

test('what it remembers is what counts, and no more: not what is true right now', () => {
  const { sensors, people: counted } = stationMemory(busy().core);
  expect(sensors['door']).toEqual({ source: 'board-1', board: 'board-1/A7', machine: { kind: 'door' } });
  expect(sensors['water']?.machine).toMatchObject({ water: { ml: { raw: 1200 }, unsaidMl: 200 } });
  expect(sensors['button']?.machine).toMatchObject({ presses: { raw: 2, held: { raw: 4 } } });
  expect(counted).toMatchObject({ inside: 3, counters: { people: { in: { raw: 3 }, out: { raw: 1 } } } });
  expect(counted).not.toHaveProperty('present');
});

test('a station that starts with its memory remembers the same', () => {
  const memory = stationMemory(busy().core);
  expect(stationMemory(busy().reborn().core)).toEqual(memory);
});

test('a meter and a name with a colon are remembered, too', () => {
  const station = new Station({ sources: { 'tasmota-1': plugSource } });
  station.hears(port(9000, 5_000_000, 'port-5'), { source: 'tasmota-1', board: null });
  const memory = stationMemory(station.core);
  expect(readMemoryRows(memoryRows(memory))).toEqual({ memory, damaged: [] });
  const boards = { 'board:1/A:7': { ...busy().core.boards['board-1/A7'], generation: 4 } };
  const rows = { 'board:board:1/A:7': JSON.stringify(boards['board:1/A:7']) };
  expect(Object.keys(readMemoryRows(rows).memory.boards)).toEqual(['board:1/A:7']);
});

test('no rows are an empty memory', () => {
  expect(readMemoryRows({})).toEqual({ memory: emptyMemory, damaged: [] });
});

test.each<{ what: string; key: string; row: string }>([
  { what: 'no JSON', key: 'sensor:water', row: '{"source":"board-1",' },
  { what: 'JSON of another kind', key: 'sensor:water', row: '[]' },
  {
    what: 'a counter that is no number',
    key: 'sensor:button',
    row: '{"source":"a","board":null,"machine":{"kind":"button","presses":{"raw":"9","generation":0,"atMs":0,"held":null}}}',
  },
  { what: 'an unknown machine', key: 'sensor:lamp-1', row: '{"source":"a","board":null,"machine":{"kind":"lamp"}}' },
  {
    what: 'a board without its boot',
    key: 'board:board-1/A7',
    row: '{"generation":1,"bootedAtMs":null,"upS":4,"upAt":{"monoMs":1,"wallMs":null}}',
  },
  { what: 'a basis that is none', key: 'people', row: '{"inside":1,"basis":"guessed","counters":{}}' },
  { what: 'a boot that is no text', key: 'boot', row: '7' },
  { what: 'a key that this version does not know', key: 'weather', row: '{}' },
])('a row that is $what is named and left out, its neighbours are read', ({ key, row }) => {
  const memory = stationMemory(busy().core);
  const rows = memoryRows(memory);
  const damaged = readMemoryRows({ ...rows, [key]: row });
  expect(damaged.damaged).toEqual([key]);
  const { [key]: _lost, ...rest } = rows;
  expect(damaged.memory).toEqual(readMemoryRows(rest).memory);
});

test('reading is total: whatever the rows hold, every one of them is read or named', () => {
  const key = fc.oneof(fc.string(), fc.constantFrom('people', 'boot', 'sensor:a', 'board:a', 'sensor:', 'board'));
  fc.assert(
    fc.property(fc.dictionary(key, fc.oneof(fc.string(), fc.json())), (rows) => {
      const { memory, damaged } = readMemoryRows(rows);
      const read = Object.keys(memory.sensors).length + Object.keys(memory.boards).length;
      const single = Number(memory.people !== undefined) + Number(memory.boot !== '' || rows['boot'] === '""');
      expect(read + single + damaged.length).toBe(Object.keys(rows).length);
    }),
  );
});
