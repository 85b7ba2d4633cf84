import { expect, test } from 'vitest';
import { advanceMeter, type Count } from '../../../agent/core/counter.ts';
import {
  flushPort,
  forgetPort,
  type PortState,
  portPart,
  portReading,
  portTick,
  startPort,
} from '../../../agent/core/port.ts';

const config = {
  chargingMw: 2000,
  fullMw: 1000,
  idleMw: 150,
  overloadMw: 3_500_000,
  chargingAfterMs: 3000,
  fullAfterMs: 60_000,
  freeAfterMs: 5000,
  measureEveryMs: 300_000,
};
const count: Count = (counter, raw) => advanceMeter(counter, raw, 0);

type Told = { mw: number; mwh?: number; fault?: number };

const hear = (state: PortState, told: Told, nowMs: number) =>
  portReading(state, { kind: 'port', sensor: 'port-1', ...told }, count, nowMs, config);
/** A port in that state since 0 s. */
const being = (word: 'free' | 'charging' | 'full' | 'fault'): PortState => {
  const told = { free: { mw: 0 }, charging: { mw: 9000 }, full: { mw: 500 }, fault: { mw: 0, fault: 4 } };
  return hear(startPort(undefined), { ...told[word], mwh: 100 }, 0).state;
};

test.each([
  { mw: 0, state: 'free' },
  { mw: 149, state: 'free' },
  { mw: 150, state: 'full' },
  { mw: 999, state: 'full' },
  { mw: 1000, state: 'charging' },
  { mw: 2000, state: 'charging' },
  { mw: 3_500_000, state: 'charging' },
  { mw: 3_500_001, state: 'fault' },
])('an unknown port that delivers $mw mW is $state at once', ({ mw, state }) => {
  const step = hear(startPort(undefined), { mw }, 0);
  expect(step.events).toEqual([{ body: { kind: 'port', sensor: 'port-1', state, mw, mwh: 0 }, transition: true }]);
  expect(portPart('port-1', step.state)).toEqual({ sensor: 'port-1', state, mw });
});

test.each<{ from: 'free' | 'charging' | 'full'; mw: number; afterMs: number; to: string }>([
  { from: 'free', mw: 2000, afterMs: 3000, to: 'charging' },
  { from: 'free', mw: 1000, afterMs: 3000, to: 'charging' },
  { from: 'free', mw: 500, afterMs: 60_000, to: 'full' },
  { from: 'charging', mw: 999, afterMs: 60_000, to: 'full' },
  { from: 'charging', mw: 149, afterMs: 5000, to: 'free' },
  { from: 'full', mw: 2000, afterMs: 3000, to: 'charging' },
  { from: 'full', mw: 0, afterMs: 5000, to: 'free' },
])('$from → $to once $mw mW have lasted $afterMs ms', ({ from, mw, afterMs, to }) => {
  const begun = hear(being(from), { mw }, 10_000);
  expect(begun.events).toEqual([]);
  expect(portTick(begun.state, 'port-1', 10_000 + afterMs - 1, config).events).toEqual([]);
  expect(portTick(begun.state, 'port-1', 10_000 + afterMs, config).events).toMatchObject([
    { body: { state: to, mw }, transition: true },
  ]);
  expect(hear(begun.state, { mw }, 10_000 + afterMs).events).toMatchObject([{ body: { state: to } }]);
});

test.each<{ from: 'charging' | 'full'; mw: number }>([
  { from: 'charging', mw: 1000 },
  { from: 'full', mw: 1999 },
])('$from stays $from between the two thresholds ($mw mW), however long', ({ from, mw }) => {
  const begun = hear(being(from), { mw }, 10_000).state;
  expect(portTick(begun, 'port-1', 250_000, config).state.state).toBe(from);
});

test('a phone that pauses while it negotiates is not full: its time begins again', () => {
  let state = being('charging');
  for (const [mw, atMs] of [
    [400, 10_000],
    [9000, 60_000],
    [400, 61_000],
  ] as const)
    state = hear(state, { mw }, atMs).state;
  expect(portTick(state, 'port-1', 120_999, config).state.state).toBe('charging');
  expect(portTick(state, 'port-1', 121_000, config).state.state).toBe('full');
});

test.each<{ what: string; told: Told }>([
  { what: 'a fault code', told: { mw: 9000, fault: 4 } },
  { what: 'an overload', told: { mw: 3_500_001 } },
])('$what is a fault at once, and does not end by itself', ({ told }) => {
  const step = hear(being('charging'), told, 10_000);
  expect(step.events).toMatchObject([{ body: { state: 'fault', mw: told.mw }, transition: true }]);
  expect(portTick(step.state, 'port-1', 200_000, config).state.state).toBe('fault');
});

test.each([
  { mw: 0, state: 'free' },
  { mw: 400, state: 'full' },
  { mw: 9000, state: 'charging' },
])('a fault that cleared is over at once: $mw mW is $state', ({ mw, state }) => {
  expect(hear(being('fault'), { mw, fault: 0 }, 10_000).events).toMatchObject([{ body: { state }, transition: true }]);
});

test('energy is said in turns, as what was delivered since', () => {
  let state = being('charging');
  state = hear(state, { mw: 9000, mwh: 130 }, 100_000).state;
  const early = hear(state, { mw: 9000, mwh: 160 }, 299_999);
  expect(early.events).toEqual([]);
  const due = hear(early.state, { mw: 9000, mwh: 170 }, 300_000);
  expect(due.events).toMatchObject([{ body: { state: 'charging', mwh: 70 }, transition: false }]);
  expect(hear(due.state, { mw: 9000, mwh: 170 }, 900_000).events).toEqual([]);
  expect(hear(due.state, { mw: 9000, mwh: 200 }, 599_999).events).toEqual([]);
  expect(hear(due.state, { mw: 9000, mwh: 200 }, 600_000).events).toMatchObject([{ body: { mwh: 30 } }]);
});

test('power alone is said in turns where it moved', () => {
  expect(hear(being('charging'), { mw: 9999 }, 300_000).events).toEqual([]);
  expect(hear(being('charging'), { mw: 10_000 }, 300_000).events).toMatchObject([{ body: { mw: 10_000, mwh: 0 } }]);
});

test('a turn carries the energy until then', () => {
  const begun = hear(being('charging'), { mw: 0, mwh: 150 }, 10_000).state;
  const step = portTick(begun, 'port-1', 15_000, config);
  expect(step.events).toMatchObject([{ body: { state: 'free', mwh: 50 } }]);
  expect(step.state.unsaidMwh).toBe(0);
});

test('a forgotten port is unknown, says nothing, and keeps its energy', () => {
  const forgotten = forgetPort(hear(being('charging'), { mw: 9000, mwh: 140 }, 1000).state);
  expect(portPart('port-1', forgotten)).toEqual({ sensor: 'port-1', state: 'unknown', mw: null });
  expect(portTick(forgotten, 'port-1', 900_000, config).events).toEqual([]);
  expect(flushPort(forgotten, 'port-1').events).toEqual([]);
  expect(hear(forgotten, { mw: 0, mwh: 145 }, 901_000).events).toMatchObject([{ body: { state: 'free', mwh: 45 } }]);
});

test('a band that lasted before a port was forgotten does not count after', () => {
  const idle = hear(being('charging'), { mw: 0 }, 1000).state;
  const back = hear(forgetPort(idle), { mw: 9000 }, 20_000).state;
  expect(hear(back, { mw: 0 }, 21_000).events).toEqual([]);
});

test('a flush says the energy at once, and nothing where there is none', () => {
  const step = flushPort(hear(being('charging'), { mw: 9000, mwh: 108 }, 1000).state, 'port-1');
  expect(step.events).toEqual([
    { body: { kind: 'port', sensor: 'port-1', state: 'charging', mw: 9000, mwh: 8 }, transition: true },
  ]);
  expect(flushPort(step.state, 'port-1').events).toEqual([]);
});

test('energy that was not said outlives the process', () => {
  const { mwh, unsaidMwh } = hear(being('charging'), { mw: 9000, mwh: 140 }, 1000).state;
  expect(hear(startPort({ mwh, unsaidMwh }), { mw: 9000, mwh: 150 }, 0).events).toMatchObject([{ body: { mwh: 50 } }]);
});
