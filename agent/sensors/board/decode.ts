import { type BoardLine, lineCounterModulus, parseBoardLine } from '../../../protocol/board-line.ts';
import type { DriverEvent } from '../driver.ts';

export type BoardNames = {
  /** Sensor names on the wire → names in the station. */
  rename: Readonly<Record<string, string>>;
  ignore: ReadonlySet<string>;
};

/** The last line of every board on one wire; it outlives a reconnect. */
export type LineHistory = Readonly<Record<string, LastLine>>;

type LastLine = { n: number; text: string; atMs: number };

/** A board speaks a line a sensor at a change and every 5 s: it is never faster than this. */
const maxLinesPerMs = 0.2;
const slackLines = 50;
/** After this long without a line a counter that went on and one that began again look alike. */
const tellableMs = 60_000;
/** A wire that echoes says the same bytes again within this time. */
const echoMs = 1000;
/** Boards on one wire; more ids than this are garbage that happens to have a good CRC. */
const maxBoards = 8;

/**
 * One line of a wire, as driver events. A jump of the line counter is lost lines where the
 * time allows that many, a restart where the counter began again, and doubt anywhere else.
 */
export function decodeLine(
  history: LineHistory,
  line: string,
  nowMs: number,
  source: string,
  names: BoardNames,
): { history: LineHistory; events: DriverEvent[] } {
  const parsed = parseBoardLine(line);
  if (!parsed.ok) return { history, events: [{ type: 'rejected', cause: parsed.cause, detail: parsed.detail }] };
  if (!(parsed.board in history) && Object.keys(history).length >= maxBoards) {
    return { history, events: [{ type: 'rejected', cause: 'too-many-boards', detail: parsed.board }] };
  }
  const board = `${source}/${parsed.board}`;
  const known = history[parsed.board];
  const last = known && nowMs - known.atMs <= tellableMs ? known : undefined;
  if (last?.text === line && nowMs - last.atMs <= echoMs) return { history, events: [] };
  const next = { ...history, [parsed.board]: { n: parsed.n, text: line, atMs: nowMs } };
  return { history: next, events: [...countLine(last, parsed, board, nowMs), ...reportEvents(parsed, board, names)] };
}

function countLine(last: LastLine | undefined, line: BoardLine, board: string, nowMs: number): DriverEvent[] {
  // The board may have restarted while nobody listened.
  if (!last) return [{ type: 'board-unsettled', board }];
  const ahead = (line.n - last.n + lineCounterModulus) % lineCounterModulus;
  if (ahead === 1) return [];
  // Of another run perhaps, which began at the same count; or the counter stands still, which no run tells.
  if (ahead === 0) return [{ type: 'board-unsettled', board }];
  const possible = (nowMs - last.atMs) * maxLinesPerMs + slackLines;
  if (ahead <= possible) return [{ type: 'lost-lines', board, lines: ahead - 1 }];
  if (line.n <= possible) return [{ type: 'board-restarted', board }];
  return [{ type: 'board-unsettled', board }];
}

function reportEvents(line: BoardLine, board: string, names: BoardNames): DriverEvent[] {
  const unknown = line.unknownFields.map(
    (field): DriverEvent => ({ type: 'unknown', what: `field ${field} of ${line.sensor}` }),
  );
  if (line.report === null) return [{ type: 'unknown', what: `sensor ${line.sensor}` }];
  if (line.report.kind === 'board') {
    return [{ type: 'board-up', board, upS: line.report.upS, firmware: line.report.fw ?? null }, ...unknown];
  }
  if (names.ignore.has(line.sensor)) return [];
  const sensor = names.rename[line.sensor] ?? line.sensor;
  return [{ type: 'reading', board, reading: { ...line.report, sensor } }, ...unknown];
}
