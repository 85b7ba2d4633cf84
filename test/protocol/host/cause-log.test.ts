import { expect, test } from 'vitest';
import { CauseLog } from '../../../protocol/host/cause-log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../../support/log.ts';

const minuteMs = 60_000;

function setUp(): { clock: FakeClock; causes: CauseLog; lines: LogLine[]; note: (cause: string, by?: number) => void } {
  const clock = new FakeClock();
  const { log, lines } = memoryLog();
  const causes = new CauseLog(log, clock);
  return { clock, causes, lines, note: (cause, by) => causes.note(cause, { about: cause }, 'refused', by) };
}
/** What was logged, as `cause × count`. */
const said = (lines: LogLine[]): string[] => lines.map(({ about, count }) => `${about} × ${count}`);

test('a cause is logged at once, as a warning, with its data and count', () => {
  const { lines, note } = setUp();
  note('crc');
  expect(lines).toMatchObject([{ level: 40, msg: 'refused', about: 'crc', count: 1 }]);
});

test('and again at most once a minute, with what came since', async () => {
  const { clock, lines, note } = setUp();
  note('crc');
  for (let second = 0; second < 59; second++) {
    await clock.advance(1000);
    note('crc');
  }
  expect(said(lines)).toEqual(['crc × 1']);
  await clock.advance(1000);
  note('crc', 4);
  expect(said(lines)).toEqual(['crc × 1', 'crc × 63']);
  await clock.advance(minuteMs - 1);
  note('crc');
  expect(lines).toHaveLength(2);
  await clock.advance(1);
  note('crc');
  expect(said(lines).at(-1)).toBe('crc × 2');
});

test('a wall clock that jumps changes nothing', () => {
  const { clock, lines, note } = setUp();
  note('crc');
  clock.jumpWall(10 * minuteMs);
  note('crc');
  clock.jumpWall(-20 * minuteMs);
  note('crc');
  expect(lines).toHaveLength(1);
});

test('causes are told apart, in the log and in the counts', () => {
  const { causes, lines, note } = setUp();
  note('crc');
  note('range', 3);
  note('crc');
  expect(said(lines)).toEqual(['crc × 1', 'range × 3']);
  expect(causes.counts()).toEqual({ crc: 2, range: 3 });
});

test('counts nothing at first, and names of the language like any other', () => {
  const { causes, note } = setUp();
  expect(causes.counts()).toEqual({});
  note('constructor');
  note('__proto__');
  expect(Object.entries(causes.counts())).toEqual([
    ['constructor', 1],
    ['__proto__', 1],
  ]);
});

const fill = (note: (cause: string) => void, from = 0): void => {
  for (let n = from; n < from + 500; n++) note(`stranger-${n}`);
};
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);

test('a flood of names is bounded: what is beyond 500 in a minute counts as other, and is logged once', () => {
  const { causes, lines, note } = setUp();
  fill(note);
  fill(note, 500);
  fill(note, 1000);
  expect(lines).toHaveLength(501);
  expect(Object.keys(causes.counts())).toHaveLength(501);
  expect(causes.counts()['other']).toBe(1000);
});

test('and hides nobody for longer than a minute: the quietest names make room', async () => {
  const { clock, causes, lines, note } = setUp();
  fill(note);
  note('tunxi-laojie');
  expect(causes.counts()).not.toHaveProperty('tunxi-laojie');
  await clock.advance(minuteMs);
  lines.length = 0;
  note('tunxi-laojie');
  expect(said(lines)).toEqual(['tunxi-laojie × 1']);
  expect(causes.counts()).toMatchObject({ 'tunxi-laojie': 1, other: 2 });
  expect(causes.counts()).not.toHaveProperty('stranger-0');
  expect(sum(causes.counts())).toBe(502);
});

test('a cause that is still heard keeps its place and its silence', async () => {
  const { clock, causes, lines, note } = setUp();
  note('tunxi-laojie');
  fill(note);
  for (let turn = 0; turn < 5; turn++) {
    await clock.advance(minuteMs - 1000);
    note('tunxi-laojie');
    await clock.advance(1000);
    fill(note, 500 * (turn + 1));
  }
  expect(causes.counts()).toMatchObject({ 'tunxi-laojie': 6 });
  // One line of its own a minute at most, however many names came and went.
  expect(said(lines).filter((line) => line.startsWith('tunxi-laojie')).length).toBeLessThanOrEqual(6);
  expect(sum(causes.counts())).toBe(6 + 6 * 500);
  expect(Object.keys(causes.counts()).length).toBeLessThanOrEqual(501);
});

test('a cause that came first and is still heard does not keep the quiet ones', async () => {
  const { clock, causes, note } = setUp();
  note('tunxi-laojie');
  for (let n = 0; n < 499; n++) note(`stranger-${n}`);
  await clock.advance(minuteMs);
  note('tunxi-laojie');
  note('newcomer');
  expect(causes.counts()).toMatchObject({ 'tunxi-laojie': 2, newcomer: 1, other: 1 });
  expect(causes.counts()).not.toHaveProperty('stranger-0');
});

test('what a forgotten cause had not said yet is said of the others', async () => {
  const { clock, lines, note } = setUp();
  note('stranger-0');
  note('stranger-0', 9);
  for (let n = 1; n < 500; n++) note(`stranger-${n}`);
  await clock.advance(minuteMs);
  fill(note, 1000);
  lines.length = 0;
  note('one more');
  expect(said(lines)).toEqual(['one more × 10']);
});
