import { describe, expect, test } from 'vitest';
import { importColumns, readStationsCsv } from '../../../cloud/register/import-csv.ts';
import { ConfigError } from '../../../protocol/host/config-error.ts';

const head = 'id,name,region,lat,lng,datum';
const row = 'laojie,老街驿站,341002,29.714,118.316,wgs84';

const read = (...lines: string[]) => readStationsCsv(Buffer.from(lines.join('\n')), 'stations.csv', 'Asia/Shanghai');

/** What is wrong with the file, line by line. */
function problems(...lines: string[]): readonly string[] {
  try {
    read(...lines);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

describe('a register file is read', () => {
  const laojie = { id: 'laojie', name: '老街驿站', region: '341002', lat: 29.714, lng: 118.316, datum: 'wgs84' };

  test('with the columns that must be there, and defaults for the rest', () => {
    expect(read(head, row)).toMatchObject([{ ...laojie, hours: '24/7', kind: 'smart', capacity: null, aliases: [] }]);
  });

  test.each<[how: string, text: string]>([
    ['with a byte order mark', `\uFEFF${head}\n${row}`],
    ['with the line ends of Windows', `${head}\r\n${row}\r\n`],
    ['with empty lines', `${head}\n\n${row}\n\n\n`],
    ['with spaces around cells', `${head}\n${row.replaceAll(',', ' , ')}`],
    ['with quotes', `${head}\n${row.replaceAll(/[^,]+/g, '"$&"')}`],
    ['with its columns in another order', 'datum,lng,lat,region,name,id\nwgs84,118.316,29.714,341002,老街驿站,laojie'],
  ])('%s', (_how, text) => {
    expect(read(text)).toMatchObject([laojie]);
  });

  test('with every column', () => {
    const full = importColumns.map((column) => column.replace('*', '')).join(',');
    const cells =
      'xinjie,"新街, 驿站",341002,29.7,118.3,bd09,爱心驿站；；暖心驿站; 司机之家;,"老街 ""1"" 号",Mo-Su 06:00-22:00,Asia/Urumqi,12,微波炉;热水,王,12351,省级示范点,lite';
    expect(read(full, cells)).toEqual([
      {
        id: 'xinjie',
        name: '新街, 驿站',
        region: '341002',
        lat: 29.7,
        lng: 118.3,
        datum: 'bd09',
        aliases: ['爱心驿站', '暖心驿站', '司机之家'],
        address: '老街 "1" 号',
        hours: 'Mo-Su 06:00-22:00',
        timeZone: 'Asia/Urumqi',
        capacity: 12,
        facilities: ['微波炉', '热水'],
        steward: '王',
        complaintLine: '12351',
        levels: ['省级示范点'],
        kind: 'lite',
      },
    ]);
  });

  test('an empty cell is one that is not there', () => {
    const read_ = read(`${head},capacity,hours,aliases,steward,time_zone`, `${row},,,,,`);
    expect(read_).toMatchObject([
      { capacity: null, hours: '24/7', aliases: [], steward: null, timeZone: 'Asia/Shanghai' },
    ]);
  });

  test('a row without a time zone has that of the configuration', () => {
    const [first, second] = readStationsCsv(
      Buffer.from(`${head},time_zone\n${row},\n${row.replace('laojie', 'b')},Asia/Urumqi`),
      'stations.csv',
      'Asia/Hong_Kong',
    );
    expect([first?.timeZone, second?.timeZone]).toEqual(['Asia/Hong_Kong', 'Asia/Urumqi']);
  });
});

describe('a register file is refused, with every wrong line', () => {
  const bad = (cells: Record<string, string>, line = row): string => {
    const names = head.split(',');
    return line
      .split(',')
      .map((cell, index) => cells[names[index] ?? ''] ?? cell)
      .join(',');
  };

  test('where values are wrong: line, column, what was expected and what was found', () => {
    expect(
      problems(
        head,
        row,
        bad({ id: 'Big House', lat: '91' }),
        bad({ id: 'b', lng: '118,3'.replace(',', '·'), datum: 'gps' }),
        bad({ id: 'c', region: '', name: '' }),
      ),
    ).toEqual([
      'line 3: id: expected 1 to 48 of a-z 0-9 -, found "Big House"',
      'line 3: lat: Too big: expected number to be <=90, found "91"',
      'line 4: lng: expected number, found "118·3"',
      'line 4: datum: Invalid option: expected one of "wgs84"|"gcj02"|"bd09", found "gps"',
      'line 5: name: Too small: expected string to have >=1 characters, found ""',
      'line 5: region: expected a six-digit adcode, found ""',
    ]);
  });

  test('where a number is written as none of its kind', () => {
    for (const lat of ['0x1d', '1e1', '29.', '+29', '29°'])
      expect(problems(head, bad({ lat }))).toEqual([`line 2: lat: expected number, found "${lat}"`]);
  });

  test('by the name of the column where the field has another one', () => {
    expect(problems(`${head},time_zone,complaint_line`, `${row},Mars,${'x'.repeat(81)}`)).toEqual([
      'line 2: time_zone: expected an IANA time zone such as Asia/Shanghai, found "Mars"',
      expect.stringMatching(/^line 2: complaint_line: Too big.* found "x+"$/),
    ]);
  });

  test.each<[what: string, lines: string[], problem: (string | RegExp)[]]>([
    ['an id twice', [head, row, row], ['line 3: id: laojie stands in line 2 already']],
    ['a missing column', ['id,name,region,lat,lng', 'x'], ['line 1: column datum: expected, found nothing']],
    [
      'an unknown column',
      [`${head},seats`, `${row},4`],
      [/^line 1: column "seats": expected one of id, name, .*kind$/],
    ],
    ['a header alone', [head], ['expected a header and at least one station, found no station']],
    ['nothing', [''], ['expected a header and at least one station, found no station']],
    [
      'lines of another length, among lines with wrong values',
      [head, 'short,1', bad({ lat: 'x' }), `${row},one more`],
      ['line 2: expected 6 cells, found 2', /^line 3: lat/, 'line 4: expected 6 cells, found 7'],
    ],
    ['a quote in the midst of a cell', [head, row, '"a"b,1,2,3,4,5'], [/^line 3: Invalid Closing Quote/]],
    ['a quote that never ends', [head, row, '"a,1,2,3,4,5'], [/^line 3: Quote Not Closed/]],
  ])('%s', (_what, lines, expected) => {
    const found = problems(...lines);
    expect(found).toHaveLength(expected.length);
    for (const [index, one] of expected.entries())
      expect(found[index]).toEqual(one instanceof RegExp ? expect.stringMatching(one) : one);
  });

  test('of another encoding than UTF-8, as Excel writes it by default', () => {
    const gbk = Buffer.concat([
      Buffer.from(`${head}\nlaojie,`),
      Buffer.from([0xc0, 0xcf, 0xbd, 0xd6]),
      Buffer.from(',341002'),
    ]);
    expect(() => readStationsCsv(gbk, 'stations.csv', 'Asia/Shanghai')).toThrow(ConfigError);
    expect(() => readStationsCsv(gbk, 'stations.csv', 'Asia/Shanghai')).toThrow(
      expect.objectContaining({ issues: [expect.stringMatching(/expected UTF-8.*"CSV UTF-8"/)] }),
    );
  });
});
