import { isUtf8 } from 'node:buffer';
import { type CsvError, parse } from 'csv-parse/sync';
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

type Issue = { line: number; text: string };

/**
 * Reads a register file: CSV with a header, UTF-8 with or without a byte order mark.
 *
 * @param timeZone of stations whose row does not say theirs
 * @throws ConfigError that lists every wrong line with its column; nothing is imported then
 */
export function readStationsCsv(bytes: Uint8Array, source: string, timeZone: string): StationInput[] {
  if (!isUtf8(bytes))
    throw new ConfigError(source, ['expected UTF-8, found another encoding: export it as "CSV UTF-8"']);
  const { rows, issues } = parseRows(bytes, source);
  const seen = new Map<string, number>();
  const inputs: StationInput[] = [];
  for (const { record, info } of rows) {
    const line = info.lines;
    const parsed = stationInputSchema.safeParse({ timeZone, ...toInput(record) });
    if (!parsed.success) {
      issues.push(...parsed.error.issues.map((issue) => ({ line, text: issueText(issue, record) })));
      continue;
    }
    const { id } = parsed.data;
    const first = seen.get(id);
    if (first !== undefined) issues.push({ line, text: `id: ${id} stands in line ${first} already` });
    seen.set(id, line);
    inputs.push(parsed.data);
  }
  if (issues.length > 0) {
    const ascending = issues.toSorted((a, b) => a.line - b.line);
    throw new ConfigError(
      source,
      ascending.map(({ line, text }) => `line ${line}: ${text}`),
    );
  }
  if (rows.length === 0)
    throw new ConfigError(source, ['expected a header and at least one station, found no station']);
  return inputs;
}

/** A line of another length is told, and those after it are read; after a wrong quote nothing can be told apart. */
function parseRows(bytes: Uint8Array, source: string): { rows: Row[]; issues: Issue[] } {
  const issues: Issue[] = [];
  const onSkip = (error: CsvError | undefined): undefined => {
    if (!error) return;
    const { code, message, columns, record, lines } = error;
    if (code !== 'CSV_RECORD_INCONSISTENT_COLUMNS' || !Array.isArray(columns) || !Array.isArray(record))
      throw new ConfigError(source, [`line ${lines}: ${message}`], { cause: error });
    issues.push({ line: Number(lines), text: `expected ${columns.length} cells, found ${record.length}` });
  };
  const rows: Row[] = parse(Buffer.from(bytes), {
    bom: true,
    columns: (header: string[]) => checkedHeader(header, source),
    info: true,
    trim: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: onSkip,
  });
  return { rows, issues };
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

function issueText(issue: z.core.$ZodIssue, record: Record<string, string>): string {
  const field = String(issue.path[0] ?? '');
  const column = Object.entries(fieldOf).find(([, name]) => name === field)?.[0] ?? field;
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return `${column}: ${message}, found ${JSON.stringify(record[column] ?? '')}`;
}
