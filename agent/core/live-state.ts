import { type StationState, unknown } from '../../protocol/state.ts';
import type { DoorState } from './door.ts';
import { believed } from './health.ts';
import { peopleKnown, presenceOf } from './people.ts';
import { portPart } from './port.ts';
import type { SensorEntry, StationCore } from './station-core.ts';
import { waterPart } from './water.ts';

/** `port-2` before `port-10`. */
const collate = new Intl.Collator('en', { numeric: true }).compare;

/** The part of a `state` message that the core knows; the loop adds the envelope. */
export type LiveParts = Pick<StationState, 'door' | 'otherDoors' | 'people' | 'water' | 'ports' | 'env' | 'sensors'>;

/** The whole live state. What no believed sensor backs is `unknown`, never free, open or 0. */
export function liveParts(core: StationCore): LiveParts {
  const entries = Object.entries(core.sensors).sort(([a], [b]) => collate(a, b));
  const [door, ...otherDoors] = entries.flatMap(([sensor, { machine }]) =>
    machine.kind === 'door' ? [doorPart(sensor, machine.door)] : [],
  );
  const env = entries.find(([, { machine }]) => machine.kind === 'env');
  return {
    door: door?.known ?? unknown,
    ...(otherDoors.length === 0
      ? {}
      : { otherDoors: otherDoors.map(({ sensor, known }) => known ?? { sensor, open: unknown }) }),
    people: peoplePart(core),
    water: entries.flatMap(([sensor, { machine }]) =>
      machine.kind === 'water' ? [waterPart(sensor, machine.water)] : [],
    ),
    ports: entries.flatMap(([sensor, { machine }]) =>
      machine.kind === 'port' ? [portPart(sensor, machine.port)] : [],
    ),
    ...(env ? { env: envPart(env[1]) } : {}),
    sensors: Object.fromEntries(entries.map(([sensor, { health }]) => [sensor, { health: health.word }])),
  };
}

function doorPart(sensor: string, door: DoorState) {
  if (door.kind === 'unknown') return { sensor, known: null };
  const alarm = door.kind === 'open' ? door.alarm : null;
  return { sensor, known: { sensor, open: door.kind === 'open', locked: door.locked, alarm } };
}

function peoplePart({ people }: StationCore): LiveParts['people'] {
  if (people.inside === null || !peopleKnown(people)) return unknown;
  return { inside: people.inside, basis: people.basis, present: presenceOf(people) };
}

function envPart({ health, machine }: SensorEntry): LiveParts['env'] {
  return machine.kind === 'env' && believed(health) ? machine.env.now : unknown;
}
