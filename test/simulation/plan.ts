import { seededRandom } from '../../simulator/core/random.ts';
import { type DrawOptions, drawFaults } from './faults/draw.ts';
import type { SimulationPlan } from './simulate.ts';

/** Faults begin once every counter was heard, and end a while before the end. */
const quietStartMs = 10 * 60_000;

export type PlanOptions = Pick<DrawOptions, 'stations' | 'perStationHour' | 'kinds'> & { hours: number };

/** What one seed means. */
export function planOf(seed: number, { hours, ...options }: PlanOptions): SimulationPlan {
  const span = { fromMs: quietStartMs, untilMs: hours * 3_600_000 };
  const faults = drawFaults({ ...options, ...span }, seededRandom(seed).fork('faults'));
  return { seed, stations: options.stations, hours, faults };
}
