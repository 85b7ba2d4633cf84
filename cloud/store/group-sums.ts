import type Database from 'better-sqlite3';
import type { StationEvent } from '../../protocol/events.ts';
import { count, endsEpoch, type Hours, integrate, maxSum, noSums, type Standing, stand } from '../core/rollup.ts';

const summed = 'visits leaves door_opens ml mwh presses inside_ms people_ms charging_ms port_ms water_ms'.split(' ');

const sql = {
  standing: 'SELECT kind, at, value FROM standing WHERE epoch = ? AND sensor = ?',
  sensors: 'SELECT sensor FROM standing WHERE epoch = ?',
  setStanding: `INSERT INTO standing (epoch, sensor, kind, at, value) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (epoch, sensor) DO UPDATE SET kind = excluded.kind, at = excluded.at, value = excluded.value`,
  endStanding: 'DELETE FROM standing WHERE epoch = ? AND sensor = ?',
  // Bounded: an integer that overflows would fail the whole group, again and again.
  rollup: `INSERT INTO rollup (station, hour, visits, leaves, door_opens, ml, mwh, presses, inside_ms, people_ms, inside_peak, charging_ms, port_ms, water_ms)
           VALUES (@station, @hour, @visits, @leaves, @doorOpens, @ml, @mwh, @presses, @insideMs, @peopleMs, @insidePeak, @chargingMs, @portMs, @waterMs)
           ON CONFLICT (station, hour) DO UPDATE SET inside_peak = max(inside_peak, excluded.inside_peak),
             ${summed.map((name) => `${name} = min(${name} + excluded.${name}, ${maxSum})`).join(', ')}`,
} as const;

/** The hourly sums of one group, and what stands: read once, written once. The rules are the core's. */
export class GroupSums {
  readonly #prepare: (text: string) => Database.Statement;
  readonly #hours = new Map<number, Hours>();
  readonly #standings = new Map<string, { epoch: number; sensor: string; standing: Standing | null }>();

  constructor(prepare: (text: string) => Database.Statement) {
    this.#prepare = prepare;
  }

  /** What the event holds by itself. */
  count(station: number, event: StationEvent): void {
    count(event, this.#hoursOf(station));
  }

  /** What stood until the event: to be called in the order of an epoch's sequences. */
  stand(station: number, epoch: number, event: StationEvent): void {
    const hours = this.#hoursOf(station);
    if (endsEpoch(event)) {
      for (const standing of this.#end(epoch)) integrate(standing, event.at, hours);
      return;
    }
    const before = this.#standing(epoch, event.sensor);
    const after = stand(event, before, hours);
    if (after !== before)
      this.#standings.set(`${epoch}/${event.sensor}`, { epoch, sensor: event.sensor, standing: after });
  }

  /** Nothing of the epoch will come any more. */
  forget(epoch: number): void {
    this.#end(epoch);
  }

  /** Writes what the group added up to. */
  finish(): void {
    for (const [station, hours] of this.#hours) {
      for (const [hour, sums] of hours) this.#prepare(sql.rollup).run({ station, hour, ...noSums, ...sums });
    }
    for (const { epoch, sensor, standing } of this.#standings.values()) {
      if (standing) this.#prepare(sql.setStanding).run(epoch, sensor, standing.kind, standing.at, standing.value);
      else this.#prepare(sql.endStanding).run(epoch, sensor);
    }
  }

  /** @returns what stood in the epoch until now */
  #end(epoch: number): Standing[] {
    for (const { sensor } of this.#prepare(sql.sensors).all(epoch) as { sensor: string }[])
      this.#standing(epoch, sensor);
    const ended: Standing[] = [];
    for (const known of this.#standings.values()) {
      if (known.epoch !== epoch || !known.standing) continue;
      ended.push(known.standing);
      known.standing = null;
    }
    return ended;
  }

  #standing(epoch: number, sensor: string): Standing | null {
    const key = `${epoch}/${sensor}`;
    const known = this.#standings.get(key);
    if (known) return known.standing;
    const standing = (this.#prepare(sql.standing).get(epoch, sensor) as Standing | undefined) ?? null;
    if (standing) this.#standings.set(key, { epoch, sensor, standing });
    return standing;
  }

  #hoursOf(station: number): Hours {
    const known = this.#hours.get(station);
    if (known) return known;
    const hours: Hours = new Map();
    this.#hours.set(station, hours);
    return hours;
  }
}
