import type { FaultKind } from '../faults/fault.ts';

/** One wrong version of a rule: what it is, and the edit that makes it. */
export type Mutant = {
  name: string;
  edits: readonly { file: string; find: string; replace: string }[];
  /** Faults that show it soonest; all of them where it says none. */
  kinds?: readonly FaultKind[];
  seeds?: number;
  hours?: number;
  rate?: number;
};

export const mutants: readonly Mutant[] = [
  {
    name: 'the store does not wait for the disk',
    edits: [
      {
        file: 'protocol/host/sqlite.ts',
        find: "db.pragma('synchronous = FULL')",
        replace: "db.pragma('synchronous = OFF')",
      },
    ],
  },
];
