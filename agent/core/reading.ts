import type { BoardReport } from '../../protocol/board-line.ts';

/** When something was seen: monotonic always, wall time where the clock is trusted. */
export type Moment = { monoMs: number; wallMs: number | null };

type Report = Exclude<BoardReport, { kind: 'board' } | { kind: 'people' }>;

/** People sensors may count, sense presence, or both. */
export type PeopleReading = { kind: 'people'; in?: number; out?: number; present?: boolean };

/** What any driver says of one named sensor; counters are cumulative, as on the wire. */
export type Reading = (Report | PeopleReading) & { sensor: string };

export type ReadingOf<K extends Reading['kind']> = Extract<Reading, { kind: K }>;
