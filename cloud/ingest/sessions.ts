/** A board that runs beside another with the same identity needs one too; more than these is a storm. */
const maxPerStation = 8;

export type Session = { id: string; instance: string };

/**
 * Sessions by station. They are lost when the process ends: a station that uses one from before is
 * told so and says hello again (protocol README §3, rule 3).
 */
export class Sessions {
  readonly #byStation = new Map<string, Session[]>();

  open(station: string, session: Session): void {
    const known = this.#byStation.get(station) ?? [];
    this.#byStation.set(station, [...known, session].slice(-maxPerStation));
  }

  find(station: string, id: string): Session | undefined {
    return this.#byStation.get(station)?.find((session) => session.id === id);
  }

  /** The station is no longer in the register. */
  end(station: string): void {
    this.#byStation.delete(station);
  }
}
