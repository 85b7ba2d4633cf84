import type { SimulationPlan, SimulationResult } from './simulate.ts';

/**
 * Takes faults away as long as the same promise is still broken: first in large parts, then one by
 * one. What is left is what the failure needs.
 *
 * @param atMost runs
 */
export async function shrink(
  plan: SimulationPlan,
  found: NonNullable<SimulationResult['violation']>,
  run: (plan: SimulationPlan) => Promise<SimulationResult>,
  atMost: number,
): Promise<SimulationPlan> {
  let smallest = { ...plan, faults: plan.faults.filter(({ atMs }) => atMs <= found.atMs) };
  let runs = 0;
  for (let part = Math.ceil(smallest.faults.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
    for (let from = 0; from < smallest.faults.length && runs < atMost; ) {
      const candidate = {
        ...smallest,
        faults: smallest.faults.filter((_, index) => index < from || index >= from + part),
      };
      runs += 1;
      const { violation } = await run(candidate);
      if (violation?.invariant === found.invariant) smallest = candidate;
      else from += part;
    }
  }
  return smallest;
}
