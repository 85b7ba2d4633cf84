import { expect, test } from 'vitest';
import { boardSource, button, people, plugSource, port, Station, water } from './station-steps.ts';

/** A board that counted ten in, eight out, a litre, 500 mWh and one press, all of it said. */
function running(): Station {
  const station = new Station().up(100);
  station.hears(people(8, 8)).hears(water(0)).hears(port(9000, 0)).hears(button(0));
  station.hears(people(10, 8)).hears(water(1000)).hears(port(9000, 500)).hears(button(1)).flush().said();
  return station;
}

const cameIn = (visits: number, inside: number, out = 0) => ({ kind: 'people', in: visits, out, inside });

test('a restart that the lines show: what was unsaid is said first, then everything counts from 0', () => {
  const station = running().at(5).hears(water(1200)).hears(port(9000, 540)).restarted();
  expect(station.told()).toMatchObject([
    { kind: 'water', ml: 200 },
    { kind: 'port', mwh: 40 },
  ]);
  station.at(6).up(0).hears(people(11, 0)).hears(water(1300)).hears(port(9000, 600)).hears(button(2)).flush();
  expect(station.told()).toMatchObject([
    cameIn(11, 13),
    { kind: 'sos', presses: 2 },
    { kind: 'water', ml: 1300 },
    { kind: 'port', mwh: 600 },
  ]);
});

test('a restart that up= alone shows: what spoke since it began is not counted twice', () => {
  const station = running().at(60).hears(people(1, 0)).at(62).up(4);
  expect(station.told()).toMatchObject([cameIn(1, 3)]);
  station.at(65).hears(people(3, 0)).hears(button(5));
  expect(station.told()).toMatchObject([cameIn(2, 5), { kind: 'sos', presses: 5 }]);
});

test('while a board is in doubt its counters wait, and nothing is lost by it', () => {
  const station = running().at(30).unsettled().hears(people(12, 8)).hears(button(2)).hears(water(1100));
  expect(station.told()).toEqual([]);
  station.at(32).up(132).hears(people(12, 8)).hears(button(2)).hears(water(1100)).flush();
  expect(station.told()).toMatchObject([cameIn(2, 4), { kind: 'sos', presses: 1 }, { kind: 'water', ml: 100 }]);
});

test('a board in doubt that restarted before: what it says is all new, and counts once', () => {
  const station = running().at(300).unsettled().hears(people(12, 3)).hears(button(4)).at(302).up(40);
  expect(station.told()).toMatchObject([cameIn(12, 11, 3), { kind: 'sos', presses: 4 }]);
  station.hears(people(13, 4)).hears(button(4));
  expect(station.told()).toMatchObject([cameIn(1, 11, 1)]);
});

test('a board in doubt that restarted after: what it said of the run before is counted, too', () => {
  const station = running().at(300).unsettled().hears(people(12, 8)).hears(button(3));
  station.hears(water(1150)).hears(port(9000, 530)).at(345).up(40);
  expect(station.told()).toMatchObject([
    cameIn(2, 4),
    { kind: 'water', ml: 150 },
    { kind: 'port', mwh: 30 },
    { kind: 'sos', presses: 2 },
  ]);
  station.hears(people(1, 0));
  expect(station.told()).toMatchObject([cameIn(1, 5)]);
});

test('a board in doubt that never says up= is taken as it is after ten seconds', () => {
  const station = running().at(30).unsettled().at(31).hears(people(12, 8)).at(39.9).ticks().hears(people(12, 8));
  expect(station.told()).toEqual([]);
  expect(station.at(40).ticks().told()).toMatchObject([cameIn(2, 4)]);
  expect(station.hears(people(12, 8)).told()).toEqual([]);
});

test('boards of one wire restart each for itself', () => {
  const fromB = { board: 'board-1/B2' };
  const second = (visits: number) => ({ kind: 'people', sensor: 'people-2', in: visits, out: 0 }) as const;
  const station = running().hears(second(40), fromB).up(900, 'board-1/B2').at(100).unsettled('board-1/B2');
  station.hears(second(42), fromB).said();
  expect(station.restarted('board-1/A7').told()).toEqual([]);
  station.up(1000, 'board-1/B2').hears(second(43), fromB);
  expect(station.told()).toMatchObject([
    { sensor: 'people-2', in: 2 },
    { sensor: 'people-2', in: 1 },
  ]);
});

test('another board in its place begins with a baseline; who is inside stays inside', () => {
  const fromB = { board: 'board-1/B2' };
  const station = running().hears(people(700, 650), fromB).hears(button(30), fromB).hears(water(90_000), fromB);
  station.hears(port(9000, 70_000), fromB).flush();
  expect(station.told()).toEqual([]);
  station.hears(people(701, 650), fromB).hears(button(31), fromB).hears(water(90_040), fromB).flush();
  expect(station.told()).toMatchObject([cameIn(1, 3), { kind: 'sos', presses: 1 }, { kind: 'water', ml: 40 }]);
});

test('an agent that starts again goes on where it was: nothing twice, nothing lost', () => {
  const station = running().hears(water(1400)).hears(port(9000, 520));
  station.at(20).reborn().hears(people(12, 8)).hears(button(3)).hears(water(1500)).hears(port(9000, 560));
  // The board may have restarted meanwhile: its counters wait; what was counted before is known.
  expect(station.told()).toMatchObject([
    cameIn(0, 2),
    { kind: 'water', ml: 400 },
    { kind: 'port', state: 'charging', mwh: 20 },
  ]);
  station.at(22).up(122).hears(people(12, 8)).hears(button(3)).hears(water(1500)).hears(port(9000, 560)).flush();
  expect(station.told()).toMatchObject([
    cameIn(2, 4),
    { kind: 'sos', presses: 2 },
    { kind: 'water', ml: 100 },
    { kind: 'port', mwh: 40 },
  ]);
});

test('agent and board start again together: everything that the board says is new', () => {
  const station = running().at(20).reborn({ boot: 'B' }).at(21).up(3).hears(people(2, 1)).hears(button(1));
  expect(station.told()).toMatchObject([cameIn(2, 3, 1), { kind: 'sos', presses: 1 }]);
});

test('agent and board are cut off together, every day: what the board says before its up= counts once', () => {
  const station = running().at(40).reborn({ boot: 'B' }).at(41).hears(people(2, 0)).hears(button(1)).hears(water(300));
  station.at(43).up(12).hears(people(2, 0)).hears(button(1)).hears(water(300)).flush();
  const sums = { in: 0, presses: 0, ml: 0 };
  for (const event of station.told()) {
    if (event.kind === 'people') sums.in += event.in;
    if (event.kind === 'sos') sums.presses += event.presses;
    if (event.kind === 'water') sums.ml += event.ml;
  }
  expect(sums).toEqual({ in: 2, presses: 1, ml: 300 });
});

test('what waited when the agent stopped is counted when it starts again, if the board restarted', () => {
  const station = running().at(20).unsettled().hears(people(12, 8)).reborn().at(300).up(5);
  expect(station.told()).toMatchObject([cameIn(2, 4)]);
});

test('a meter needs no board: it counts on over restarts of the agent', () => {
  const fromPlug = { source: 'tasmota-1', board: null };
  const plug = (mwh: number) => port(9000, mwh, 'port-5');
  const station = new Station({ sources: { 'tasmota-1': plugSource } });
  station.hears(plug(5_000_000), fromPlug).hears(plug(5_000_300), fromPlug).reborn().hears(plug(5_000_450), fromPlug);
  expect(station.flush().told()).toMatchObject([{ mwh: 0 }, { mwh: 450 }]);
});

/** The board restarted twice, so that a counter of it is of another generation than a fresh board's. */
function restartedTwice(): Station {
  const station = running().restarted().restarted().hears(people(500, 490)).hears(button(40)).hears(water(70_000));
  station.flush().said();
  return station;
}

const more = (station: Station, from: object): Station =>
  station.hears(people(503, 490), from).hears(button(41), from).hears(water(70_200), from).flush();

test('a driver under another name begins with a baseline: nothing is counted twice', () => {
  const renamed = { source: 'main', board: 'main/A7' };
  const station = restartedTwice().reborn({ sources: { main: boardSource } });
  more(station, renamed);
  expect(station.told()).toMatchObject([cameIn(0, 12), { kind: 'water', ml: 0 }]);
  station.hears(people(504, 490), renamed).hears(button(42), renamed);
  expect(station.told()).toMatchObject([
    { kind: 'people', in: 1 },
    { kind: 'sos', presses: 1 },
  ]);
});

test.each([
  { lost: 'board:board-1/A7', what: 'board' },
  { lost: 'sensor:people', what: 'sensor' },
])('a damaged memory of the $what counts nothing twice', ({ lost }) => {
  const station = more(
    restartedTwice()
      .reborn({ lose: [lost] })
      .up(100),
    {},
  );
  const counted = station.told().flatMap((event) => (event.kind === 'people' ? [event.in] : []));
  expect(counted.filter((visits) => visits > 3)).toEqual([]);
  station.hears(people(504, 490));
  expect(station.told()).toMatchObject([{ kind: 'people', in: 1 }]);
});

test('a sensor that the configuration gives to another driver is heard from it, from a baseline', () => {
  const sources = {
    'board-1': boardSource,
    'tasmota-1': plugSource,
    'board-2': { ...boardSource, expects: ['people', 'port-1'] },
  };
  const fromSecond = { source: 'board-2', board: 'board-2/C3' };
  const station = running().hears(port(9000, 530)).reborn({ sources });
  station.hears(people(90, 80), fromSecond).hears(port(9000, 44), fromSecond).flush();
  expect(station.told()).toMatchObject([cameIn(0, 2), { kind: 'port', mwh: 30 }]);
  station.hears(people(91, 80), fromSecond).hears(port(9000, 45), fromSecond).flush();
  expect(station.told()).toMatchObject([cameIn(1, 3), { kind: 'port', mwh: 1 }]);
  expect(station.hears(people(11, 8)).effects()).toMatchObject([{ type: 'refused-sensor', why: 'other-source' }]);
});

test('a plug that takes over a port of the board begins with a baseline, and the other way round', () => {
  const byPlug = { 'board-1': boardSource, 'tasmota-1': { ...plugSource, expects: ['port-1'] } };
  const fromPlug = { source: 'tasmota-1', board: null };
  const station = running().reborn({ sources: byPlug }).hears(port(9000, 7_000_000), fromPlug).flush();
  expect(station.told()).toMatchObject([{ kind: 'port', mwh: 0 }]);
  const byOther = { 'zigbee-1': { ...plugSource, expects: ['port-1'] } };
  station.reborn({ sources: byOther }).hears(port(9000, 9_000_000), { source: 'zigbee-1', board: null }).flush();
  expect(station.told()).toMatchObject([{ kind: 'port', mwh: 0 }]);
  station
    .reborn({ sources: { 'board-1': { ...boardSource, expects: ['port-1'] } } })
    .up(110)
    .hears(port(9000, 900))
    .flush();
  expect(station.told()).toMatchObject([{ kind: 'port', mwh: 0 }]);
});
