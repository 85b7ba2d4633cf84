import { crc16Hex } from './crc16.ts';

/** A board's counters are unsigned 32-bit and wrap. */
export const counterModulus = 2 ** 32;
/** Line counters wrap here. */
export const lineCounterModulus = 65_536;
/** Longest line without its line end, bytes. */
export const maxLineBytes = 255;

export type SensorKind = 'door' | 'people' | 'water' | 'port' | 'env' | 'button' | 'board';

/** What one line says, in the wire's terms; counters are cumulative. */
export type BoardReport =
  | { kind: 'door'; open: boolean; locked?: boolean }
  | { kind: 'people'; in: number; out: number; present?: boolean }
  | {
      kind: 'water';
      tankPct?: number;
      hotC?: number;
      coldC?: number;
      ml?: number;
      leak?: boolean;
      fault?: number;
      filterPct?: number;
    }
  | { kind: 'port'; mw: number; mwh?: number; fault?: number }
  | { kind: 'env'; tempC?: number; rhPct?: number; co2Ppm?: number; smoke?: boolean; flood?: boolean; mains?: boolean }
  | { kind: 'button'; sos: number }
  | { kind: 'board'; upS: number; fw?: string };

export type BoardLine = {
  ok: true;
  board: string;
  /** Line counter, 0–65535. */
  n: number;
  sensor: string;
  /** Null for a sensor whose kind this version does not know. */
  report: BoardReport | null;
  /** Fields that this version does not know, for counting. */
  unknownFields: readonly string[];
};

export type LineCause = 'crc' | 'syntax' | 'non-ascii' | 'overlong' | 'range' | 'missing-field';
export type RejectedLine = { ok: false; cause: LineCause; detail: string };

type FieldType = { type: 'bool' } | { type: 'int' | 'decimal'; min: number; max: number } | { type: 'text' };
type FieldSpec = FieldType & { as: string; required?: true };

const bool = { type: 'bool' } as const;
const u32 = { type: 'int', min: 0, max: counterModulus - 1 } as const;
const percent = { type: 'decimal', min: 0, max: 100 } as const;
const celsius = { type: 'decimal', min: -60, max: 150 } as const;
const code = { type: 'int', min: 0, max: 65_535 } as const;

const specs: Readonly<Record<SensorKind, Readonly<Record<string, FieldSpec>>>> = {
  door: { open: { ...bool, as: 'open', required: true }, locked: { ...bool, as: 'locked' } },
  people: {
    in: { ...u32, as: 'in', required: true },
    out: { ...u32, as: 'out', required: true },
    present: { ...bool, as: 'present' },
  },
  water: {
    tank: { ...percent, as: 'tankPct' },
    hot: { ...celsius, as: 'hotC' },
    cold: { ...celsius, as: 'coldC' },
    ml: { ...u32, as: 'ml' },
    leak: { ...bool, as: 'leak' },
    fault: { ...code, as: 'fault' },
    filter: { ...percent, as: 'filterPct' },
  },
  port: {
    mw: { type: 'int', min: 0, max: 100_000_000, as: 'mw', required: true },
    mwh: { ...u32, as: 'mwh' },
    fault: { ...code, as: 'fault' },
  },
  env: {
    temp: { ...celsius, as: 'tempC' },
    rh: { ...percent, as: 'rhPct' },
    co2: { type: 'int', min: 0, max: 100_000, as: 'co2Ppm' },
    smoke: { ...bool, as: 'smoke' },
    flood: { ...bool, as: 'flood' },
    mains: { ...bool, as: 'mains' },
  },
  button: { sos: { ...u32, as: 'sos', required: true } },
  board: { up: { ...u32, as: 'upS', required: true }, fw: { type: 'text', as: 'fw' } },
};

/** Values are printable ASCII without `,`, `*` and `$`. */
const frame = /^\$([A-Z0-9]{1,8}),(\d{1,5}),([a-z0-9-]{1,24})((?:,[a-z0-9_]{1,16}=[ -#%-)+\-./0-~]*)*)\*([0-9A-F]{4})$/;

/** Fields that a line of a kind must have, on the wire and in the report. */
const requiredFields: Readonly<Record<SensorKind, readonly (readonly [name: string, as: string])[]>> = {
  door: required('door'),
  people: required('people'),
  water: required('water'),
  port: required('port'),
  env: required('env'),
  button: required('button'),
  board: required('board'),
};

function required(kind: SensorKind): (readonly [string, string])[] {
  return Object.entries(specs[kind]).flatMap(([name, spec]) => (spec.required ? [[name, spec.as] as const] : []));
}

/** The kind of a sensor by its name: the leading letters (`port-3` → `port`), or null. */
export function sensorKind(sensor: string): SensorKind | null {
  const letters = /^[a-z]+/.exec(sensor)?.[0];
  return letters !== undefined && isKind(letters) ? letters : null;
}

function isKind(letters: string): letters is SensorKind {
  return Object.hasOwn(specs, letters);
}

/**
 * Parses one board line (README §1). Total: any input gives a line or the cause of its rejection.
 *
 * @param line one byte a character (latin1), without its line feed; a trailing CR is allowed
 */
export function parseBoardLine(line: string): BoardLine | RejectedLine {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  if (text.length > maxLineBytes) return rejected('overlong', `expected at most ${maxLineBytes} bytes`);
  const parts = frame.exec(text);
  if (!parts) return notAFrame(text);
  const [, board = '', counter = '', sensor = '', fields = '', crc = ''] = parts;
  const expected = crc16Hex(text.slice(1, -5));
  if (crc !== expected) return rejected('crc', `expected ${expected}, found ${crc}`);
  const n = Number(counter);
  if (n >= lineCounterModulus) return rejected('range', `line counter ${counter}: expected 0…65535`);
  const kind = sensorKind(sensor);
  if (kind === null) return { ok: true, board, n, sensor, report: null, unknownFields: [] };
  const read = readFields(kind, fields);
  if ('cause' in read) return read;
  return { ok: true, board, n, sensor, ...read };
}

function notAFrame(text: string): RejectedLine {
  if (!/^[\x20-\x7e]*$/.test(text)) return rejected('non-ascii', 'expected printable ASCII');
  return rejected('syntax', 'expected $board,n,sensor,field=value…*CRC');
}

function readFields(kind: SensorKind, fields: string): { report: BoardReport; unknownFields: string[] } | RejectedLine {
  const spec = specs[kind];
  const report: Record<string, unknown> = { kind };
  const unknownFields: string[] = [];
  for (const field of fields === '' ? [] : fields.slice(1).split(',')) {
    const equals = field.indexOf('=');
    const name = field.slice(0, equals);
    const value = field.slice(equals + 1);
    const type = Object.hasOwn(spec, name) ? spec[name] : undefined;
    if (!type) {
      unknownFields.push(name);
      continue;
    }
    const parsed = readValue(type, value);
    if (parsed === undefined) return rejected('range', `${name}=${value}: expected ${describe(type)}`);
    report[type.as] = parsed;
  }
  for (const [name, as] of requiredFields[kind]) {
    if (!(as in report)) return rejected('missing-field', `${kind}: expected ${name}=`);
  }
  return { report: report as BoardReport, unknownFields };
}

function readValue(type: FieldType, value: string): boolean | number | string | undefined {
  switch (type.type) {
    case 'bool':
      return value === '1' ? true : value === '0' ? false : undefined;
    case 'text':
      return value;
    case 'int':
    case 'decimal': {
      const pattern = type.type === 'int' ? /^-?\d{1,10}$/ : /^-?\d{1,7}(\.\d{1,3})?$/;
      const number = Number(value);
      return pattern.test(value) && number >= type.min && number <= type.max ? number : undefined;
    }
  }
}

function describe(type: FieldType): string {
  if (type.type === 'bool') return '0 or 1';
  return type.type === 'text' ? 'text' : `${type.type} ${type.min}…${type.max}`;
}

/** A line as a board sends it, with CRC and CR LF: for simulators and firmware tests. */
export function formatBoardLine(line: {
  board: string;
  n: number;
  sensor: string;
  fields: Readonly<Record<string, string | number>>;
}): string {
  const fields = Object.entries(line.fields).map(([name, value]) => `,${name}=${value}`);
  const body = `${line.board},${line.n},${line.sensor}${fields.join('')}`;
  return `$${body}*${crc16Hex(body)}\r\n`;
}

function rejected(cause: LineCause, detail: string): RejectedLine {
  return { ok: false, cause, detail };
}
