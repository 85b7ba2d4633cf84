import type { EventBody } from '../../protocol/events.ts';
import type { HealthStep } from './health.ts';
import type { PeopleState } from './people.ts';
import type { Machine, SaidEvent } from './sensor.ts';
import type { StationCore, StationEffect, StationStep } from './station-core.ts';

export const changed: StationEffect = { type: 'changed' };

export function saidEffects(events: readonly SaidEvent[]): StationEffect[] {
  return events.map((event) => ({ type: 'said', event }));
}

export function healthEffects(sensor: string, step: HealthStep): StationEffect[] {
  if (!step.changed || step.health.word === 'unknown') return [];
  const body: EventBody = { kind: 'sensor', sensor, health: step.health.word, reason: step.health.reason };
  return [{ type: 'said', event: { body, transition: true } }, changed];
}

export function peopleStep(core: StationCore, step: { state: PeopleState; events: EventBody[] }): StationStep {
  const moved = step.events.length > 0 || step.state.inside !== core.people.inside;
  const said = step.events.map((body): SaidEvent => ({ body, transition: true }));
  return { core: { ...core, people: step.state }, effects: [...saidEffects(said), ...(moved ? [changed] : [])] };
}

/** Whether a reader of the live state could tell the two apart at once; power alone waits for the beat. */
export function differs(before: Machine, after: Machine): boolean {
  if (before.kind === 'door' && after.kind === 'door') return before.door !== after.door;
  if (before.kind === 'port' && after.kind === 'port') return before.port.state !== after.port.state;
  if (before.kind === 'water' && after.kind === 'water')
    return before.water.hot !== after.water.hot || before.water.cold !== after.water.cold;
  if (before.kind === 'env' && after.kind === 'env') return before.env.said !== after.env.said;
  return false;
}

export function quiet(core: StationCore): StationStep {
  return { core, effects: [] };
}
