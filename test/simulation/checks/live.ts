import type { StationState } from '../../../protocol/state.ts';
import { parseTopic } from '../../../protocol/topics.ts';
import type { SimFleet } from '../fleet.ts';
import { cloudUser } from '../network/sim-broker.ts';
import { reportIntervalS } from '../station/sim-station.ts';
import { holds } from './violation.ts';

/** A message may be this long under way: held back by the broker, delayed, its sender or receiver stalled. */
const underWayMs = 180_000;
const leaseMs = 2 * reportIntervalS * 1000;

type Said = { atMs: number; key: string };

/** What is shown as live was said by the station's own agent within the lease, or is not shown as live. */
export class LiveWatch {
  readonly #fleet: SimFleet;
  readonly #said = new Map<string, Said[]>();

  constructor(fleet: SimFleet) {
    this.#fleet = fleet;
    const before = fleet.broker.overhear;
    fleet.broker.overhear = (username, message) => {
      before(username, message);
      if (username === cloudUser || parseTopic(message.topic)?.channel !== 'state') return;
      const said = this.#said.get(username) ?? [];
      const nowMs = fleet.timeline.nowMs;
      said.push({ atMs: nowMs, key: keyOf(JSON.parse(message.payload.toString())) });
      while ((said[0]?.atMs ?? nowMs) < nowMs - leaseMs - underWayMs) said.shift();
      this.#said.set(username, said);
    };
  }

  check(): void {
    const { cloud, timeline, stations } = this.#fleet;
    const { view } = cloud;
    if (!view) return;
    for (const { id } of stations) {
      const status = view.board.snapshot('341002')?.stations.find((one) => one.id === id);
      if (status?.freshness !== 'live') continue;
      const record = view.live.get(id);
      const known = record && this.#said.get(id)?.findLast(({ key }) => key === keyOf(record.state));
      const oldestMs = timeline.nowMs - leaseMs - underWayMs;
      holds(
        known !== null && known !== undefined && known.atMs >= oldestMs,
        'live is what was said within the lease',
        () =>
          `${id}: shown live, said ${known ? `${Math.round((timeline.nowMs - known.atMs) / 1000)} s ago` : 'never'}`,
      );
    }
  }

  /** Everybody is live again, and the feed shows what each says now. */
  checkAllLive(): void {
    const { cloud, stations } = this.#fleet;
    const statuses = cloud.view?.board.snapshot('341002')?.stations ?? [];
    for (const { id } of stations) {
      const status = statuses.find((one) => one.id === id);
      holds(
        status?.freshness === 'live',
        'every station is live again',
        () => `${id} is ${status?.freshness ?? 'not there'}`,
      );
    }
  }
}

function keyOf({ nonce, epoch, seq, at, agent, ports, door, people }: StationState): string {
  return JSON.stringify([nonce, epoch, seq, at, agent.uptimeS, ports, door, people]);
}
