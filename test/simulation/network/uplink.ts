/** How one machine's network behaves now. */
export type LinkState =
  | { kind: 'up' }
  /** Every connection breaks, and none can be made. */
  | { kind: 'cut' }
  /** Bytes of a direction vanish and nobody is told. */
  | { kind: 'half-open'; up: boolean; down: boolean };

/** The network of one machine. */
export class Uplink {
  state: LinkState = { kind: 'up' };
  /** A message takes between these, ms. */
  delayMs: readonly [number, number] = [5, 60];
  #listeners = new Set<() => void>();

  set(state: LinkState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the machine sends arrives. */
  get sends(): boolean {
    return this.state.kind === 'up' || (this.state.kind === 'half-open' && this.state.up);
  }

  /** What is sent to the machine arrives. */
  get hears(): boolean {
    return this.state.kind === 'up' || (this.state.kind === 'half-open' && this.state.down);
  }
}
