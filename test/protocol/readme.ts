import { readFileSync } from 'node:fs';
import type { Channel } from '../../protocol/topics.ts';

const text = readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8');
const lines = text.split('\n');

/** Every board line that protocol/README.md shows, in its order. */
export const shownBoardLines: readonly string[] = [...text.matchAll(/^ {4}(\$[^<\n]*\*[0-9A-F]{4})$/gm)].map(
  ([, line = '']) => line,
);

/** Every hex dump that it shows, as bytes. */
export const shownDumps: readonly Buffer[] = [...text.matchAll(/^ {4}((?:[0-9a-f]{2} ){3,}[0-9a-f]{2})$/gm)].map(
  ([, dump = '']) => Buffer.from(dump.replaceAll(' ', ''), 'hex'),
);

/** Every message that it shows under its topic, byte by byte as it stands there. */
export const shownMessages: readonly { channel: Channel; json: string }[] = [
  ...text.matchAll(/^`stations\/[a-z0-9-]+\/([a-z]+)`[^\n]*\n\n((?: {4}[^\n]*\n)+)/gm),
].map(([, channel = '', block = '']) => ({ channel: channel as Channel, json: block }));

/** The rows of the table whose heading row begins with these cells, as cells without their padding. */
export function shownTable(...heading: readonly string[]): string[][] {
  const start = lines.findIndex((line) => heading.every((cell, index) => cellsOf(line)[index] === cell));
  if (start < 0) throw new Error(`protocol/README.md has no table ${heading.join(' | ')}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map(cellsOf);
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
