import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DoorState, doorReading, doorTick, initialDoor } from '../../../agent/core/door.ts';
import type { EventBody } from '../../../protocol/events.ts';

const config = { heldOpenMs: 300_000 };
const at = (monoMs: number) => ({ monoMs, wallMs: null });

const unknown = initialDoor;
const closed = (locked: boolean | null): DoorState => ({ kind: 'closed', sinceMs: 1000, locked });
const open = (locked: boolean | null, alarm: 'held-open' | 'forced' | null = null): DoorState => ({
  kind: 'open',
  sinceMs: 1000,
  locked,
  alarm,
});

type Said = { open: boolean; locked?: boolean; alarm?: 'held-open' | 'forced' };

test.each<{
  what: string;
  given: DoorState;
  when: { open: boolean; locked?: boolean };
  becomes: DoorState;
  said: Said;
}>([
  {
    what: 'the first word makes an unknown door known',
    given: unknown,
    when: { open: false },
    becomes: { kind: 'closed', sinceMs: 5000, locked: null },
    said: { open: false },
  },
  {
    what: 'a door that is first heard open and locked was not seen being forced',
    given: unknown,
    when: { open: true, locked: true },
    becomes: { kind: 'open', sinceMs: 5000, locked: true, alarm: null },
    said: { open: true, locked: true },
  },
  {
    what: 'a door opens',
    given: closed(false),
    when: { open: true, locked: false },
    becomes: { kind: 'open', sinceMs: 5000, locked: false, alarm: null },
    said: { open: true, locked: false },
  },
  {
    what: 'a door that opens while it stays locked is forced',
    given: closed(true),
    when: { open: true, locked: true },
    becomes: { kind: 'open', sinceMs: 5000, locked: true, alarm: 'forced' },
    said: { open: true, locked: true, alarm: 'forced' },
  },
  {
    what: 'a lock that is not said again is still locked',
    given: closed(true),
    when: { open: true },
    becomes: { kind: 'open', sinceMs: 5000, locked: true, alarm: 'forced' },
    said: { open: true, locked: true, alarm: 'forced' },
  },
  {
    what: 'a door that is unlocked and opened in one word is not forced',
    given: closed(true),
    when: { open: true, locked: false },
    becomes: { kind: 'open', sinceMs: 5000, locked: false, alarm: null },
    said: { open: true, locked: false },
  },
  {
    what: 'a door that is opened and locked in one word is not forced',
    given: closed(false),
    when: { open: true, locked: true },
    becomes: { kind: 'open', sinceMs: 5000, locked: true, alarm: null },
    said: { open: true, locked: true },
  },
  {
    what: 'a bolt that is thrown behind an open door is no new opening, and leaves an alarm standing',
    given: open(false, 'held-open'),
    when: { open: true, locked: true },
    becomes: { kind: 'open', sinceMs: 1000, locked: true, alarm: 'held-open' },
    said: { open: true, locked: true, alarm: 'held-open' },
  },
  {
    what: 'a closed door that is locked has been closed since before',
    given: closed(false),
    when: { open: false, locked: true },
    becomes: { kind: 'closed', sinceMs: 1000, locked: true },
    said: { open: false, locked: true },
  },
  {
    what: 'closing ends an alarm',
    given: open(true, 'forced'),
    when: { open: false },
    becomes: { kind: 'closed', sinceMs: 5000, locked: true },
    said: { open: false, locked: true },
  },
])('$what', ({ given, when, becomes, said }) => {
  const step = doorReading(given, { kind: 'door', sensor: 'door', ...when }, at(5000));
  expect(step).toEqual({ state: becomes, events: [{ kind: 'door', sensor: 'door', ...said }] });
});

test.each<{ what: string; given: DoorState; when: { open: boolean; locked?: boolean } }>([
  { what: 'the same word again', given: closed(true), when: { open: false, locked: true } },
  { what: 'the same word without the lock', given: open(true, 'forced'), when: { open: true } },
])('$what says nothing and changes nothing', ({ given, when }) => {
  const step = doorReading(given, { kind: 'door', sensor: 'door', ...when }, at(5000));
  expect(step).toEqual({ state: given, events: [] });
});

test.each<{ what: string; given: DoorState; nowMs: number; alarm: boolean }>([
  { what: 'open for less than the time', given: open(null), nowMs: 300_999, alarm: false },
  { what: 'open for the time', given: open(null), nowMs: 301_000, alarm: true },
  { what: 'said already', given: open(null, 'held-open'), nowMs: 900_000, alarm: false },
  { what: 'forced, which is the graver alarm', given: open(true, 'forced'), nowMs: 900_000, alarm: false },
  { what: 'closed', given: closed(null), nowMs: 900_000, alarm: false },
  { what: 'unknown', given: unknown, nowMs: 900_000, alarm: false },
])('held-open, where the door is $what: $alarm', ({ given, nowMs, alarm }) => {
  const step = doorTick(given, 'door', nowMs, config);
  const event: EventBody = { kind: 'door', sensor: 'door', open: true, alarm: 'held-open' };
  expect(step.events).toEqual(alarm ? [event] : []);
  expect(step.state).toEqual(alarm ? open(null, 'held-open') : given);
});

test('whatever a door says, held-open is raised at most once an opening, and never of a closed door', () => {
  const word = fc.record({ open: fc.boolean(), waitMs: fc.integer({ min: 0, max: 400_000 }) });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40, size: 'max' }), (words) => {
      let state = initialDoor;
      let nowMs = 0;
      let alarms = 0;
      for (const { open, waitMs } of words) {
        const opened = open && state.kind !== 'open';
        state = doorReading(state, { kind: 'door', sensor: 'door', open }, at(nowMs)).state;
        if (opened) alarms = 0;
        for (const later of [waitMs / 2, waitMs]) {
          const step = doorTick(state, 'door', nowMs + later, config);
          state = step.state;
          alarms += step.events.length;
        }
        nowMs += waitMs;
        expect(alarms).toBeLessThanOrEqual(state.kind === 'open' ? 1 : alarms);
        if (!open) expect(state.kind).toBe('closed');
      }
    }),
  );
});
