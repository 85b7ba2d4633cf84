/**
 * Everything that goes wrong in a simulation, as data: a run is its seed and these, so that a failing
 * run shrinks to the few that it needs. `station` is an index; `atMs` and every duration are true ms.
 */
export type Fault = { atMs: number } & (
  | { kind: 'power-cut'; station: number; offMs: number; wall: 'right' | 'year-1970' | 'year-2013' | 'year-2040' }
  | { kind: 'agent-crash'; station: number; acts: number }
  | { kind: 'agent-stop' | 'agent-reload'; station: number }
  | { kind: 'agent-stall'; station: number; forMs: number }
  | { kind: 'cloud-power-cut'; offMs: number }
  | { kind: 'cloud-crash'; acts: number }
  | { kind: 'cloud-stop' }
  | { kind: 'cloud-stall'; forMs: number }
  | { kind: 'link-cut'; station: number | 'cloud'; forMs: number }
  | { kind: 'half-open'; station: number | 'cloud'; way: 'up' | 'down' | 'both'; forMs: number }
  | { kind: 'slow-link'; station: number | 'cloud'; delayMs: number; forMs: number }
  | { kind: 'broker-restart'; downMs: number; keepsRetained: boolean }
  | { kind: 'broker-loses' | 'broker-doubles' | 'broker-holds'; share: number; forMs: number }
  | { kind: 'wall-jump'; station: number | 'cloud'; byMs: number }
  | { kind: 'outbox-lost' | 'outbox-corrupt' | 'outbox-truncated'; station: number; offMs: number; amount: number }
  | { kind: 'outbox-restored'; station: number; offMs: number; ageMs: number }
  | { kind: 'lying-card'; station: number; forMs: number; offMs: number }
  | { kind: 'cloud-restored'; offMs: number; ageMs: number }
  | { kind: 'clone'; station: number; forMs: number; fresh: boolean }
  | { kind: 'disk-full'; station: number | 'cloud'; forMs: number; roomBytes: number }
  | { kind: 'io-error'; station: number | 'cloud'; operations: number }
  | { kind: 'noisy-wire'; station: number; garble: number; drop: number; forMs: number }
  | { kind: 'unplug'; station: number; forMs: number; silently: boolean }
  | { kind: 'board-restart'; station: number }
  | { kind: 'command'; station: number }
);

export type FaultKind = Fault['kind'];
