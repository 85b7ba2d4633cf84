const slotMs = 1000;

/** Ids by the second in which they are due; each id stands once, at its last due time. */
export class DueSet {
  readonly #slots = new Map<number, Set<string>>();
  readonly #slotOf = new Map<string, number>();

  set(id: string, atMs: number | null): void {
    const before = this.#slotOf.get(id);
    if (before !== undefined) this.#slots.get(before)?.delete(id);
    this.#slotOf.delete(id);
    if (atMs === null) return;
    const slot = Math.ceil(atMs / slotMs);
    this.#slotOf.set(id, slot);
    this.#slots.set(slot, (this.#slots.get(slot) ?? new Set()).add(id));
  }

  /** Takes every id that is due at `nowMs`. */
  take(nowMs: number): string[] {
    const last = Math.floor(nowMs / slotMs);
    const due: string[] = [];
    for (const [slot, ids] of this.#slots) {
      if (slot > last) continue;
      due.push(...ids);
      this.#slots.delete(slot);
    }
    for (const id of due) this.#slotOf.delete(id);
    return due;
  }
}
