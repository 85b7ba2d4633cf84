import { parse } from 'csv-parse/sync';
import type { z } from 'zod';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { type StationInput, stationInputSchema } from './input.ts';

/** Columns of a register file; those with a star must be there. Lists are separated by `;` or `；`. */
export const importColumns = [
  'id*',
  'name*',
  'region*',
  'lat*',
  'lng*',
  'datum*',
  'aliases',
  'address',
  'hours',
  'time_zone',
  'capacity',
  'facilities',
  'steward',
  'complaint_line',
  'levels',
  'kind',
] as const;

const names = importColumns.map((column) => column.replace('*', ''));
const needed = importColumns.filter((column) => column.endsWith('*')).map((column) => column.replace('*', ''));

type Row = { record: Record<string, string>; info: { lines: number } };

/**
 * Reads a register file: CSV with a header, UTF-8 with or without a byte order mark.
 *
 * @throws ConfigError that lists every wrong line with its column; nothing is imported then
 */
export function readStationsCsv(text: string, source: string): StationInput[] {
  const rows = parseRows(text, source);
  const issues: string[] = [];
  const seen = new Map<string, number>();
  const inputs: StationInput[] = [];
  for (const { record, info } of rows) {
    const parsed = stationInputSchema.safeParse(toInput(record));
    if (!parsed.success) {
      issues.push(...parsed.error.issues.map((issue) => issueLine(issue, record, info.lines)));
      continue;
    }
    const first = seen.get(parsed.data.id);
    if (first !== undefined) issues.push(`line ${info.lines}: id: ${parsed.data.id} stands in line ${first} already`);
    seen.set(parsed.data.id, info.lines);
    inputs.push(parsed.data);
  }
  if (issues.length > 0) throw new ConfigError(source, issues);
  return inputs;
}

function parseRows(text: string, source: string): Row[] {
  let rows: Row[];
  try {
    rows = parse(text, {
      bom: true,
      columns: (header: string[]) => checkedHeader(header, source),
      info: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: false,
    });
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(source, [cause instanceof Error ? cause.message : String(cause)], { cause });
  }
  if (rows.length === 0)
    throw new ConfigError(source, ['expected a header and at least one station, found no station']);
  return rows;
}

function checkedHeader(header: string[], source: string): string[] {
  const unknown = header
    .filter((name) => !names.includes(name))
    .map((name) => `line 1: column ${JSON.stringify(name)}: expected one of ${names.join(', ')}`);
  const missing = needed
    .filter((name) => !header.includes(name))
    .map((name) => `line 1: column ${name}: expected, found nothing`);
  if (unknown.length + missing.length > 0) throw new ConfigError(source, [...missing, ...unknown]);
  return header;
}

const fieldOf: Readonly<Record<string, string>> = { time_zone: 'timeZone', complaint_line: 'complaintLine' };
const numbers = new Set(['lat', 'lng', 'capacity']);
const lists = new Set(['aliases', 'facilities', 'levels']);

/** An empty cell is a cell that is not there. */
function toInput(record: Record<string, string>): Record<string, unknown> {
  const filled = Object.entries(record).filter(([name, text]) => text !== '' || needed.includes(name));
  return Object.fromEntries(filled.map(([name, text]) => [fieldOf[name] ?? name, cell(name, text)]));
}

function cell(name: string, text: string): unknown {
  if (numbers.has(name)) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (lists.has(name))
    return text
      .split(/[;；]/)
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return text;
}

function issueLine(issue: z.core.$ZodIssue, record: Record<string, string>, line: number): string {
  const field = String(issue.path[0] ?? '');
  const column = Object.entries(fieldOf).find(([, name]) => name === field)?.[0] ?? field;
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return `line ${line}: ${column}: ${message}, found ${JSON.stringify(record[column] ?? '')}`;
}
