import { onTestFinished } from 'vitest';
import { formatBoardLine } from '../../protocol/board-line.ts';

type Fields = Readonly<Record<string, string | number>>;

export type HandBoard = {
  /** Says these fields of the sensor now, and with what it said before every second from then on. */
  say: (sensor: string, fields: Fields) => void;
};

const repeatMs = 1000;

/** A sensor board whose sensors a test moves by hand; like a real one it repeats what stands. */
export function handBoard(write: (bytes: string) => unknown): HandBoard {
  const startedMs = performance.now();
  const standing = new Map<string, Fields>();
  let n = 0;
  function line(sensor: string, fields: Fields): void {
    write(formatBoardLine({ board: 'A7', n, sensor, fields }));
    n = (n + 1) % 65_536;
  }
  function repeat(): void {
    line('board', { up: Math.floor((performance.now() - startedMs) / 1000), fw: '1.4.2' });
    for (const [sensor, fields] of standing) line(sensor, fields);
  }
  const timer = setInterval(repeat, repeatMs);
  onTestFinished(() => clearInterval(timer));
  return {
    say(sensor, fields) {
      standing.set(sensor, { ...standing.get(sensor), ...fields });
      line(sensor, standing.get(sensor) ?? {});
    },
  };
}
