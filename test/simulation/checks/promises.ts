import { parseTopic } from '../../../protocol/topics.ts';
import { storeFile } from '../cloud/sim-cloud.ts';
import type { SimFleet } from '../fleet.ts';
import { cloudUser } from '../network/sim-broker.ts';
import { holds } from './violation.ts';

/**
 * Acknowledged ≤ durably stored, at the moment of every word of the cloud; and what an agent calls
 * accepted is beyond the reach of a power cut. `broken` hears of the first breach.
 */
export function watchPromises(fleet: SimFleet, broken: (error: unknown) => void): void {
  const { cloud, stations, clones, promises } = fleet;
  const guarded = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      broken(error);
    }
  };
  const before = fleet.broker.overhear;
  fleet.broker.overhear = (username, message) => {
    before(username, message);
    const channel = parseTopic(message.topic)?.channel;
    if (username !== cloudUser || (channel !== 'ack' && channel !== 'welcome')) return;
    guarded(() => {
      const said: { epoch: string; upTo: number; epochs?: { id: string; upTo: number }[] } = JSON.parse(
        message.payload.toString(),
      );
      const told = said.epochs?.map(({ id, upTo }) => ({ epoch: id, upTo })) ?? [said];
      for (const { epoch, upTo } of told) {
        if (upTo === 0) continue;
        const stored = storedUpTo(fleet, epoch);
        holds(upTo <= stored, 'acked ≤ stored', () => `${channel} of ${epoch} up to ${upTo}, stored up to ${stored}`);
        promises.set(epoch, Math.max(upTo, promises.get(epoch) ?? 0));
      }
      const unsynced = cloud.disk.unsynced(storeFile);
      holds(unsynced === 0, 'acked ≤ durable', () => `${channel} while ${unsynced} writes of the store are not synced`);
    });
  };
  const watchCommits = (station: SimFleet['stations'][number]): void => {
    station.onCommit = () =>
      guarded(() => {
        const unsynced = station.disk.lying ? 0 : station.disk.unsynced('outbox.db');
        holds(
          unsynced === 0,
          'accepted is durable',
          () => `${station.id}: ${unsynced} writes of the outbox not synced`,
        );
      });
  };
  for (const station of [...stations, ...clones]) watchCommits(station);
}

/** Every promise that the cloud ever gave, held against its store: to be asked after each of its starts. */
export function checkPromises(fleet: SimFleet): void {
  for (const [epoch, upTo] of fleet.promises) {
    const stored = storedUpTo(fleet, epoch);
    holds(stored >= upTo, 'acked is still stored', () => `${epoch}: told ${upTo}, stored up to ${stored}`);
  }
}

const sql = {
  epoch: 'SELECT n FROM epoch WHERE id = ?',
  above: `SELECT seq AS first, seq AS last FROM event WHERE epoch = $n AND seq > $upTo
          UNION ALL SELECT from_seq, to_seq FROM gap WHERE epoch = $n AND to_seq > $upTo ORDER BY 1`,
} as const;

/** How far the rows themselves reach without a hole, whatever the store's own cursor says. */
function storedUpTo({ cloud }: SimFleet, epoch: string): number {
  const { statements, memory } = cloud.disk.look(storeFile);
  const n = statements.get<{ n: number }>(sql.epoch, epoch)?.n;
  if (n === undefined) return 0;
  let upTo = memory.get(epoch) ?? 0;
  for (const { first, last } of statements.all<{ first: number; last: number }>(sql.above, { n, upTo })) {
    if (first > upTo + 1) break;
    upTo = Math.max(upTo, last);
  }
  memory.set(epoch, upTo);
  return upTo;
}
