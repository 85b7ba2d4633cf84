import type { Logger } from '../../protocol/host/log.ts';
import { checkComplete, checkContent } from './checks/content.ts';
import { LiveWatch } from './checks/live.ts';
import { checkPromises, watchPromises } from './checks/promises.ts';
import { Violation } from './checks/violation.ts';
import type { SimDisks } from './disk/sim-disk.ts';
import { execute, heal } from './faults/execute.ts';
import type { Fault } from './faults/fault.ts';
import { SimFleet } from './fleet.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const lookEveryMs = 5 * minuteMs;
const contentEveryMs = 4 * hourMs;
/** After the last fault: reconnecting (2 min at most), repeated hellos, and a backlog. */
const settleMs = 60 * minuteMs;
const farewellMs = 20 * minuteMs;

export type SimulationPlan = { seed: number; stations: number; hours: number; faults: readonly Fault[] };

export type SimulationResult = {
  violation: { invariant: string; detail: string; atMs: number } | null;
  simulatedMs: number;
  events: number;
};

/** Runs one simulation to its end or to the first broken promise. */
export async function simulate(plan: SimulationPlan, disks: SimDisks, log: Logger): Promise<SimulationResult> {
  const fleet = new SimFleet(plan.seed, plan.stations, disks, log);
  let broken: unknown = null;
  const breach = (error: unknown): void => {
    broken ??= error;
  };
  const live = new LiveWatch(fleet);
  watchPromises(fleet, breach);
  const run = async (untilMs: number): Promise<void> => {
    await fleet.timeline.run(untilMs, () => {
      if (broken) throw broken;
    });
    if (broken) throw broken;
  };
  const guard = (check: () => void) => (): void => {
    try {
      check();
    } catch (error) {
      breach(error);
    }
  };
  try {
    await fleet.start();
    const { timeline, stations, cloud } = fleet;
    for (const fault of plan.faults)
      timeline.after(
        fault.atMs,
        guard(() => execute(fault, fleet)),
      );
    const every = (periodMs: number, check: () => void): void => {
      const again = (): void => {
        guard(check)();
        timeline.after(periodMs, again);
      };
      timeline.after(periodMs, again);
    };
    every(lookEveryMs, () => live.check());
    every(contentEveryMs, () => checkContent(fleet));
    cloud.onStart = guard(() => checkPromises(fleet));
    const faultsEndMs = plan.hours * hourMs;
    await run(faultsEndMs);
    heal(fleet);
    await run(faultsEndMs + settleMs);
    live.checkAllLive();
    // Nobody comes any more; each agent says what it counted, and goes; what it kept is sent by its successor.
    for (const { board } of stations) board.freeze();
    await run(timeline.nowMs + 5 * minuteMs);
    for (const station of stations) station.stopProcess();
    await run(timeline.nowMs + farewellMs);
    live.checkAllLive();
    checkContent(fleet);
    checkComplete(fleet);
    return { violation: null, simulatedMs: timeline.nowMs, events: eventsOf(fleet) };
  } catch (error) {
    const { nowMs } = fleet.timeline;
    const invariant = error instanceof Violation ? error.invariant : 'no error';
    const detail =
      error instanceof Error ? (error instanceof Violation ? error.message : (error.stack ?? '')) : String(error);
    return { violation: { invariant, detail, atMs: nowMs }, simulatedMs: nowMs, events: eventsOf(fleet) };
  } finally {
    fleet.end();
  }
}

function eventsOf({ stations, clones }: SimFleet): number {
  let events = 0;
  for (const { accepted } of [...stations, ...clones])
    for (const epoch of accepted.epochs.values()) events += epoch.events.size;
  return events;
}
