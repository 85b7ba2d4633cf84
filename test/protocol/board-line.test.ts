import { describe, expect, test } from 'vitest';
import { type BoardLine, formatBoardLine, parseBoardLine, sensorKind } from '../../protocol/board-line.ts';
import { crc16Hex } from '../../protocol/crc16.ts';

/** A line with a right checksum around any body. */
const line = (body: string): string => `$${body}*${crc16Hex(body)}`;
const parsed = (body: string): BoardLine => {
  const result = parseBoardLine(line(body));
  if (!result.ok) throw new Error(`${result.cause}: ${result.detail}`);
  return result;
};
const causeOf = (text: string): string => {
  const result = parseBoardLine(text);
  return result.ok ? 'accepted' : result.cause;
};

/** A line of exactly this many bytes, checksum and all. */
const lineOfLength = (bytes: number): string => line(`A7,0,board,up=0,fw=${'x'.repeat(bytes - 25)}`);

describe('a good line', () => {
  test.each([
    { sensor: 'door', fields: 'open=1', report: { kind: 'door', open: true } },
    { sensor: 'door-2', fields: 'open=0,locked=1', report: { kind: 'door', open: false, locked: true } },
    { sensor: 'people', fields: 'in=4294967295,out=0', report: { kind: 'people', in: 4294967295, out: 0 } },
    { sensor: 'people', fields: 'out=2,present=0,in=3', report: { kind: 'people', in: 3, out: 2, present: false } },
    { sensor: 'water', fields: 'tank=78', report: { kind: 'water', tankPct: 78 } },
    {
      sensor: 'water',
      fields: 'tank=78.5,hot=91.25,cold=-0.125,ml=240,leak=1,fault=17,filter=64',
      report: {
        kind: 'water',
        tankPct: 78.5,
        hotC: 91.25,
        coldC: -0.125,
        ml: 240,
        leak: true,
        fault: 17,
        filterPct: 64,
      },
    },
    { sensor: 'port-12', fields: 'mw=11250,mwh=830,fault=3', report: { kind: 'port', mw: 11250, mwh: 830, fault: 3 } },
    {
      sensor: 'env',
      fields: 'temp=-22.5,rh=48,co2=612,smoke=1,flood=0,mains=1',
      report: { kind: 'env', tempC: -22.5, rhPct: 48, co2Ppm: 612, smoke: true, flood: false, mains: true },
    },
    { sensor: 'button', fields: 'sos=4', report: { kind: 'button', sos: 4 } },
    { sensor: 'board', fields: 'up=90061', report: { kind: 'board', upS: 90061 } },
    { sensor: 'board', fields: 'up=0,fw=v1.4 (a/b)~', report: { kind: 'board', upS: 0, fw: 'v1.4 (a/b)~' } },
  ])('$sensor,$fields says $report', ({ sensor, fields, report }) => {
    expect(parseBoardLine(line(`A7,12,${sensor},${fields}`))).toEqual({
      ok: true,
      board: 'A7',
      n: 12,
      sensor,
      report,
      unknownFields: [],
    });
  });

  test('what a board does not say is absent, not 0 or false', () => {
    expect(Object.keys(parsed('A7,0,water').report ?? {})).toEqual(['kind']);
    expect(Object.keys(parsed('A7,0,env').report ?? {})).toEqual(['kind']);
  });

  test('may end with a carriage return, and with one alone', () => {
    expect(parseBoardLine(`${line('A7,0,button,sos=1')}\r`)).toMatchObject({ ok: true, report: { sos: 1 } });
    expect(causeOf(`${line('A7,0,button,sos=1')}\r\r`)).not.toBe('accepted');
  });

  test('has 255 bytes at most, its line end not counted', () => {
    expect(lineOfLength(255)).toHaveLength(255);
    expect(causeOf(lineOfLength(255))).toBe('accepted');
    expect(causeOf(`${lineOfLength(255)}\r`)).toBe('accepted');
    expect(causeOf(lineOfLength(256))).toBe('overlong');
    expect(causeOf(`${lineOfLength(256)}\r`)).toBe('overlong');
  });

  test.each(['A', 'Z9', 'BOARD123'])('may come from a board called %s', (board) => {
    expect(parsed(`${board},0,button,sos=0`).board).toBe(board);
  });

  test.each([0, 1, 65_535])('may have the counter %i', (n) => {
    expect(parsed(`A7,${n},button,sos=0`).n).toBe(n);
  });
});

describe('what a newer board says beyond this version', () => {
  test('an unknown field is listed and the rest of the line counts', () => {
    expect(parsed('A7,0,door,tilt=3,open=1,v_2=a b')).toMatchObject({
      report: { kind: 'door', open: true },
      unknownFields: ['tilt', 'v_2'],
    });
  });

  test.each(['constructor', 'tostring', 'hasownproperty', '__proto__'])('a field called %s is unknown', (name) => {
    expect(parsed(`A7,0,door,open=1,${name}=1`)).toMatchObject({ unknownFields: [name], report: { open: true } });
  });

  test.each(['lift', 'lift-2', 'doorbell', 'ports', 'constructor', '7', '-door', 'a'.repeat(24)])(
    'the sensor %s is a line without a report',
    (sensor) => {
      expect(parsed(`A7,9,${sensor},level=x`)).toEqual({
        ok: true,
        board: 'A7',
        n: 9,
        sensor,
        report: null,
        unknownFields: [],
      });
    },
  );

  test.each([
    ['port-3', 'port'],
    ['port3', 'port'],
    ['water-left', 'water'],
    ['env', 'env'],
    ['portal', null],
    ['', null],
  ])('leading letters are the kind: %s is %s', (sensor, kind) => {
    expect(sensorKind(sensor)).toBe(kind);
  });
});

describe('refuses', () => {
  test.each([
    { what: 'nothing', text: '', cause: 'syntax' },
    { what: 'no dollar', text: line('A7,1,door,open=1').slice(1), cause: 'syntax' },
    { what: 'noise before the dollar', text: `x${line('A7,1,door,open=1')}`, cause: 'syntax' },
    { what: 'noise after the checksum', text: `${line('A7,1,door,open=1')} `, cause: 'syntax' },
    { what: 'two lines in one', text: line('A7,1,door,open=1').repeat(2), cause: 'syntax' },
    { what: 'no checksum', text: '$A7,1,door,open=1', cause: 'syntax' },
    { what: 'a short checksum', text: line('A7,1,door,open=1').slice(0, -1), cause: 'syntax' },
    { what: 'a checksum in lower case', text: '$A7,1,door,open=1,locked=0*f36c', cause: 'syntax' },
    { what: 'another checksum', text: '$A7,1,door,open=1,locked=0*F36D', cause: 'crc' },
    { what: 'its bytes swapped', text: '$A7,1,door,open=1,locked=0*6CF3', cause: 'crc' },
    { what: 'a value that the checksum does not cover', text: '$A7,1,door,open=0,locked=0*F36C', cause: 'crc' },
    { what: 'a board of no letters', text: line(',1,door,open=1'), cause: 'syntax' },
    { what: 'a board of nine letters', text: line('BOARD1234,1,door,open=1'), cause: 'syntax' },
    { what: 'a board in lower case', text: line('a7,1,door,open=1'), cause: 'syntax' },
    { what: 'a sensor of no letters', text: line('A7,1,,open=1'), cause: 'syntax' },
    { what: 'a sensor of 25 letters', text: line(`A7,1,${'a'.repeat(25)},open=1`), cause: 'syntax' },
    { what: 'a sensor in upper case', text: line('A7,1,Door,open=1'), cause: 'syntax' },
    { what: 'no counter', text: line('A7,,door,open=1'), cause: 'syntax' },
    { what: 'a negative counter', text: line('A7,-1,door,open=1'), cause: 'syntax' },
    { what: 'a counter of six digits', text: line('A7,000001,door,open=1'), cause: 'syntax' },
    { what: 'a counter above its wrap', text: line('A7,65536,door,open=1'), cause: 'range' },
    { what: 'a field without a value', text: line('A7,1,door,open'), cause: 'syntax' },
    { what: 'a field without a name', text: line('A7,1,door,=1'), cause: 'syntax' },
    { what: 'a field name of 17 letters', text: line(`A7,1,door,open=1,${'a'.repeat(17)}=1`), cause: 'syntax' },
    { what: 'an empty field', text: line('A7,1,door,,open=1'), cause: 'syntax' },
    { what: 'a comma at the end', text: line('A7,1,door,open=1,'), cause: 'syntax' },
    { what: 'a star in a value', text: line('A7,1,board,up=1,fw=a*b'), cause: 'syntax' },
    { what: 'a dollar in a value', text: line('A7,1,board,up=1,fw=a$b'), cause: 'syntax' },
    { what: 'a byte above ASCII', text: line('A7,1,board,up=1,fw=\xe9'), cause: 'non-ascii' },
    { what: 'a character above a byte', text: line('A7,1,board,up=1,fw=驿'), cause: 'non-ascii' },
    { what: 'a NUL', text: line('A7,1,board,up=1,fw=\0'), cause: 'non-ascii' },
    { what: 'a tab', text: line('A7,1,board,up=1,fw=\t'), cause: 'non-ascii' },
    { what: 'a DEL', text: line('A7,1,board,up=1,fw=\x7f'), cause: 'non-ascii' },
    { what: 'a line feed', text: `${line('A7,1,door,open=1')}\n`, cause: 'non-ascii' },
    { what: 'a carriage return in the middle', text: line('A7,1,board,up=1,fw=\r'), cause: 'non-ascii' },
    { what: 'a door without open', text: line('A7,1,door,locked=1'), cause: 'missing-field' },
    { what: 'people without in', text: line('A7,1,people,out=1'), cause: 'missing-field' },
    { what: 'people without out', text: line('A7,1,people,in=1'), cause: 'missing-field' },
    { what: 'a port without mw', text: line('A7,1,port-1,mwh=1'), cause: 'missing-field' },
    { what: 'a button without sos', text: line('A7,1,button'), cause: 'missing-field' },
    { what: 'a board without up', text: line('A7,1,board,fw=1'), cause: 'missing-field' },
    { what: 'an unknown sensor with a wrong checksum', text: '$A7,1,lift,level=1*0000', cause: 'crc' },
  ])('$what as $cause', ({ text, cause }) => {
    expect(causeOf(text)).toBe(cause);
  });

  test('with a detail that names the field, its value and what it may be', () => {
    expect(parseBoardLine(line('A7,1,water,tank=101'))).toEqual({
      ok: false,
      cause: 'range',
      detail: 'tank=101: expected decimal 0…100',
    });
    expect(parseBoardLine(line('A7,1,door,locked=1'))).toMatchObject({ detail: 'door: expected open=' });
    expect(parseBoardLine(line('A7,65536,door,open=1'))).toMatchObject({ detail: expect.stringContaining('65536') });
  });
});

const notNumbers = [
  '',
  ' 1',
  '1 ',
  '+1',
  '1e1',
  '0x1',
  '.5',
  '5.',
  '1.2.3',
  '--1',
  '-',
  'NaN',
  'Infinity',
  '1_0',
  '1;2',
];
const u32 = { good: ['0', '4294967295', '0000000001'], bad: ['4294967296', '-1', '1.0', '00000000001'] };
const share = { good: ['0', '100', '99.999', '0.001', '-0.0'], bad: ['100.001', '101', '-0.001', '1.2345'] };
const celsius = { good: ['-60', '150', '-59.999', '149.999'], bad: ['-60.001', '150.001', '12345678'] };
const flag = { good: ['0', '1'], bad: ['2', '-1', '00', '01', 'true', 'yes'] };
const code = { good: ['0', '65535'], bad: ['65536', '-1', '1.5'] };

test.each([
  { of: 'door,open', ...flag },
  { of: 'door,open=1,locked', ...flag },
  { of: 'people,out=0,in', ...u32 },
  { of: 'people,in=0,out', ...u32 },
  { of: 'people,in=0,out=0,present', ...flag },
  { of: 'water,tank', ...share },
  { of: 'water,hot', ...celsius },
  { of: 'water,cold', ...celsius },
  { of: 'water,ml', ...u32 },
  { of: 'water,leak', ...flag },
  { of: 'water,fault', ...code },
  { of: 'water,filter', ...share },
  { of: 'port-1,mw', good: ['0', '100000000'], bad: ['100000001', '-1', '0.5'] },
  { of: 'port-1,mw=0,mwh', ...u32 },
  { of: 'port-1,mw=0,fault', ...code },
  { of: 'env,temp', ...celsius },
  { of: 'env,rh', ...share },
  { of: 'env,co2', good: ['0', '100000'], bad: ['100001', '-1', '400.5'] },
  { of: 'env,smoke', ...flag },
  { of: 'env,flood', ...flag },
  { of: 'env,mains', ...flag },
  { of: 'button,sos', ...u32 },
  { of: 'board,up', ...u32 },
])('$of= takes its range to the edge and nothing beyond', ({ of, good, bad }) => {
  const outcome = (value: string): string => `${value}: ${causeOf(line(`A7,1,${of}=${value}`))}`;
  expect(good.map(outcome)).toEqual(good.map((value) => `${value}: accepted`));
  expect([...bad, ...notNumbers].map(outcome)).toEqual([...bad, ...notNumbers].map((value) => `${value}: range`));
});

test('formats a line as a board sends it: fields in their order, checksum, CR LF', () => {
  expect(formatBoardLine({ board: 'A7', n: 1, sensor: 'door', fields: { open: 1, locked: 0 } })).toBe(
    '$A7,1,door,open=1,locked=0*F36C\r\n',
  );
});
