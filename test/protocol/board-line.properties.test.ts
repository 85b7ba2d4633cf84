import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatBoardLine, parseBoardLine } from '../../protocol/board-line.ts';
import { shownBoardLines } from './readme.ts';

type Field = { name: string; as: string; values: fc.Arbitrary<[wire: string | number, value: unknown]>; always?: true };

const same = <T extends string | number>(values: fc.Arbitrary<T>): Field['values'] =>
  values.map((value) => [value, value]);
const u32 = same(fc.integer({ min: 0, max: 4_294_967_295 }));
const code = same(fc.integer({ min: 0, max: 65_535 }));
const flag: Field['values'] = fc.boolean().map((value) => [value ? 1 : 0, value]);
const thousandths = (min: number, max: number): Field['values'] =>
  same(fc.integer({ min: min * 1000, max: max * 1000 }).map((n) => n / 1000));
const text = same(fc.stringMatching(/^[ -#%-)+\-./0-~]{0,40}$/));

const fieldsOf: Readonly<Record<string, readonly Field[]>> = {
  door: [
    { name: 'open', as: 'open', values: flag, always: true },
    { name: 'locked', as: 'locked', values: flag },
  ],
  people: [
    { name: 'in', as: 'in', values: u32, always: true },
    { name: 'out', as: 'out', values: u32, always: true },
    { name: 'present', as: 'present', values: flag },
  ],
  water: [
    { name: 'tank', as: 'tankPct', values: thousandths(0, 100) },
    { name: 'hot', as: 'hotC', values: thousandths(-60, 150) },
    { name: 'cold', as: 'coldC', values: thousandths(-60, 150) },
    { name: 'ml', as: 'ml', values: u32 },
    { name: 'leak', as: 'leak', values: flag },
    { name: 'fault', as: 'fault', values: code },
    { name: 'filter', as: 'filterPct', values: thousandths(0, 100) },
  ],
  port: [
    { name: 'mw', as: 'mw', values: same(fc.integer({ min: 0, max: 100_000_000 })), always: true },
    { name: 'mwh', as: 'mwh', values: u32 },
    { name: 'fault', as: 'fault', values: code },
  ],
  env: [
    { name: 'temp', as: 'tempC', values: thousandths(-60, 150) },
    { name: 'rh', as: 'rhPct', values: thousandths(0, 100) },
    { name: 'co2', as: 'co2Ppm', values: same(fc.integer({ min: 0, max: 100_000 })) },
    { name: 'smoke', as: 'smoke', values: flag },
    { name: 'flood', as: 'flood', values: flag },
    { name: 'mains', as: 'mains', values: flag },
  ],
  button: [{ name: 'sos', as: 'sos', values: u32, always: true }],
  board: [
    { name: 'up', as: 'upS', values: u32, always: true },
    { name: 'fw', as: 'fw', values: text },
  ],
};

type Said = { board: string; n: number; sensor: string; fields: Record<string, string | number>; report: object };

/** Any line of a kind: what goes over the wire, and what it has to mean. */
function lineOf(kind: string, fields: readonly Field[]): fc.Arbitrary<Said> {
  const chosen = fields.map(({ name, as, values, always }) => {
    const said = values.map(([wire, value]) => ({ name, as, wire, value }));
    return always ? said : fc.option(said, { nil: undefined });
  });
  return fc
    .record({
      board: fc.stringMatching(/^[A-Z0-9]{1,8}$/),
      n: fc.integer({ min: 0, max: 65_535 }),
      suffix: fc.constantFrom('', '-1', '-left', '9'),
      said: fc.tuple(...chosen),
    })
    .map(({ board, n, suffix, said }) => {
      const present = said.filter((field) => field !== undefined);
      return {
        board,
        n,
        sensor: kind + suffix,
        fields: Object.fromEntries(present.map(({ name, wire }) => [name, wire])),
        report: { kind, ...Object.fromEntries(present.map(({ as, value }) => [as, value])) },
      };
    });
}

const lines = fc.oneof(...Object.entries(fieldsOf).map(([kind, fields]) => lineOf(kind, fields)));

test('what is formatted is parsed back, for every sensor', () => {
  fc.assert(
    fc.property(lines, ({ board, n, sensor, fields, report }) => {
      const text = formatBoardLine({ board, n, sensor, fields });
      fc.pre(text.length <= 257);
      const read = parseBoardLine(text.slice(0, -1));
      expect(read).toEqual({ ok: true, board, n, sensor, report, unknownFields: [] });
    }),
    { numRuns: 1000 },
  );
});

test('a single wrong byte is never taken for another report', () => {
  for (const line of shownBoardLines) {
    for (let at = 0; at < line.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === line.charCodeAt(at)) continue;
        const flipped = line.slice(0, at) + String.fromCharCode(byte) + line.slice(at + 1);
        // A line feed ends a line: both parts then have to be refused.
        for (const part of flipped.split('\n')) if (parseBoardLine(part).ok) throw new Error(`accepted ${part}`);
      }
    }
  }
});

test('any text gives a line or a cause', () => {
  const pieces = fc.constantFrom('$', 'A7', ',', '0', 'door', 'open=1', '*', 'F36C', '\r', '=', 'in', '-');
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const result = parseBoardLine(text);
      expect(result.ok ? 'line' : result.cause).toMatch(/^(line|crc|syntax|non-ascii|overlong|range|missing-field)$/);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  { what: 'the longest run of fields without a checksum', text: `$A,0,door${',a=a'.repeat(61)}` },
  { what: 'the longest name', text: `$A,0,${'a'.repeat(250)}` },
  { what: 'a value of equals signs', text: `$A,0,door,a=${'=,a='.repeat(60)}` },
  { what: 'ten million bytes', text: '$A,0,door,a='.padEnd(10_000_000, ',a=') },
])('refuses $what without going over it again and again', ({ text }) => {
  const startMs = performance.now();
  for (let turn = 0; turn < 1000; turn++) expect(parseBoardLine(text).ok).toBe(false);
  // A pattern that backtracks would take years; ten million bytes looked at a thousand times, minutes.
  expect(performance.now() - startMs).toBeLessThan(5000);
});
