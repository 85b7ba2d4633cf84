import { storeFile } from '../cloud/sim-cloud.ts';
import type { MachineDisk } from '../disk/sim-disk.ts';
import type { SimFleet } from '../fleet.ts';
import { soundBroker } from '../network/sim-broker.ts';
import type { LinkState, Uplink } from '../network/uplink.ts';
import type { SimStation, WallAtBoot } from '../station/sim-station.ts';
import type { Fault } from './fault.ts';

const outboxFile = 'outbox.db';

/** Lets one fault happen. What lasts for a while ends by itself, unless everything is healed before. */
export function execute(fault: Fault, fleet: SimFleet): void {
  const { timeline, broker, cloud } = fleet;
  const station = 'station' in fault && typeof fault.station === 'number' ? fleet.stations[fault.station] : undefined;
  const uplink = station?.uplink ?? cloud.uplink;
  const disk = station?.disk ?? cloud.disk;
  switch (fault.kind) {
    case 'power-cut':
      return station?.cutPower(fault.offMs, station.ntp ? { kind: 'right' } : wallAt(fault.wall));
    case 'agent-crash':
      return station?.life?.crashIn(fault.acts);
    case 'agent-stop':
      return station?.stopProcess();
    case 'agent-reload':
      return station?.reload();
    case 'agent-stall':
      return station?.life?.stall(fault.forMs);
    case 'cloud-power-cut':
      return cloud.cutPower(fault.offMs);
    case 'cloud-crash':
      return cloud.life?.crashIn(fault.acts);
    case 'cloud-stop':
      return void cloud.stopProcess();
    case 'cloud-stall':
      return cloud.life?.stall(fault.forMs);
    case 'link-cut':
      return forAWhile(fleet, uplink, { kind: 'cut' }, fault.forMs);
    case 'half-open':
      return forAWhile(
        fleet,
        uplink,
        { kind: 'half-open', up: fault.way === 'down', down: fault.way === 'up' },
        fault.forMs,
      );
    case 'slow-link': {
      const before = uplink.delayMs;
      uplink.delayMs = [fault.delayMs / 2, fault.delayMs];
      return void timeline.after(fault.forMs, () => {
        uplink.delayMs = before;
      });
    }
    case 'broker-restart':
      return broker.restart(fault.downMs, fault.keepsRetained);
    case 'broker-loses':
    case 'broker-doubles':
    case 'broker-holds': {
      const name = fault.kind.slice('broker-'.length) as keyof typeof soundBroker;
      broker.faults = { ...broker.faults, [name]: fault.share };
      return void timeline.after(fault.forMs, () => {
        broker.faults = { ...broker.faults, [name]: 0 };
      });
    }
    case 'wall-jump':
      if (fault.station === 'cloud') {
        fleet.cloudClockTold = false;
        cloud.wallOffsetMs = fault.byMs;
      } else if (station && !station.ntp) station.wallOffsetMs = fault.byMs;
      return;
    case 'outbox-lost':
      return damage(station, fault.offMs, () => disk.wipe());
    case 'outbox-corrupt':
      return damage(station, fault.offMs, () => disk.flipBits(outboxFile, 1 + Math.floor(fault.amount * 40)));
    case 'outbox-truncated':
      return damage(station, fault.offMs, () => disk.truncate(outboxFile, fault.amount));
    case 'outbox-restored':
      return takeImageBefore(fault, fleet, disk, outboxFile, (restore) => damage(station, fault.offMs, restore));
    case 'lying-card':
      disk.lie(true);
      return void timeline.after(fault.forMs, () => {
        damage(station, fault.offMs, () => disk.lie(false));
      });
    case 'cloud-restored':
      return takeImageBefore(fault, fleet, disk, storeFile, (restore) =>
        cloud.cutPower(fault.offMs, () => {
          restore();
          fleet.promises.clear();
        }),
      );
    case 'clone':
      return fleet.clone(fault.station, fault.fresh, fault.forMs);
    case 'disk-full':
      disk.limit(fault.roomBytes);
      if (station) station.accepted.trimmed = true;
      return void timeline.after(fault.forMs, () => disk.limit(null));
    case 'io-error':
      return disk.failAfter(fault.operations);
    case 'noisy-wire': {
      if (!station) return;
      station.board.noise = { garble: fault.garble, drop: fault.drop };
      return void timeline.after(fault.forMs, () => {
        station.board.noise = { garble: 0, drop: 0 };
      });
    }
    case 'unplug':
      return station?.board.unplug(fault.forMs, fault.silently);
    case 'board-restart':
      return station?.powered ? station.restartBoard() : undefined;
    case 'command':
      return station && void cloud.command(station.id, `command-${fault.atMs}`).catch(() => {});
  }
}

/** Ends everything that a fault left behind; from now on nothing goes wrong any more. */
export function heal({ broker, cloud, stations }: SimFleet): void {
  broker.faults = soundBroker;
  for (const { uplink, disk } of [cloud, ...stations]) {
    disk.clear();
    uplink.delayMs = [5, 60];
    if (uplink.state.kind !== 'up') uplink.set({ kind: 'up' });
  }
  cloud.wallOffsetMs = 0;
  for (const { board } of stations) board.noise = { garble: 0, drop: 0 };
}

/** Takes the image now; it is put back when it has the fault's age. */
function takeImageBefore(
  { ageMs }: { ageMs: number },
  { timeline }: SimFleet,
  disk: MachineDisk,
  file: string,
  putBack: (restore: () => void) => void,
): void {
  const image = disk.takeImage(file);
  timeline.after(ageMs, () => putBack(() => disk.restoreImage(image)));
}

function wallAt(wall: Extract<Fault, { kind: 'power-cut' }>['wall']): WallAtBoot {
  if (wall === 'right') return { kind: 'right' };
  return { kind: 'wrong', atMs: Date.UTC(Number(wall.slice('year-'.length)), 0, 1) };
}

function forAWhile({ timeline }: SimFleet, uplink: Uplink, state: LinkState, forMs: number): void {
  uplink.set(state);
  timeline.after(forMs, () => {
    if (uplink.state === state) uplink.set({ kind: 'up' });
  });
}

/** The machine is taken off the wall, something is done to its file, and it comes back. */
function damage(station: SimStation | undefined, offMs: number, work: () => void): void {
  station?.cutPower(offMs, { kind: 'right' }, () => {
    work();
    station.accepted.fileLost();
  });
}
