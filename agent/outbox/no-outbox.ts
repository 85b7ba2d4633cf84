import type { Anchor } from '../core/clock.ts';
import type { Outbox } from './outbox.ts';

/**
 * Stands in while no outbox file can be opened (a dead card): the live lane goes on, no event is
 * accepted. Counters are cumulative and the memory stays as the file last had it, so that visits,
 * litres and energy of this time are counted once a file can be opened again.
 */
export function noOutbox(identity: { instance: string; newId: () => string }): Outbox {
  const anchors: Anchor[] = [];
  let epoch = identity.newId();
  const close = async (): Promise<void> => {};
  return {
    instance: identity.instance,
    durable: false,
    recovered: null,
    currentEpoch: () => epoch,
    positions: () => [{ id: epoch, oldest: 1, last: 0, acked: 0 }],
    append: async () => ({ ok: true, epoch, last: 0 }),
    memory: async () => ({}),
    read: async () => null,
    acknowledge() {},
    async openEpoch() {
      epoch = identity.newId();
      return epoch;
    },
    async anchor(anchor) {
      anchors.push(anchor);
    },
    anchors: () => anchors,
    oldestUnacked: async () => null,
    use: () => ({ rows: 0, bytes: 0 }),
    purge: async () => 0,
    trim: async () => ({ rows: 0, measurements: 0, transitions: 0 }),
    async maintain() {},
    beginCommand: async () => ({ kind: 'interrupted' }),
    async endCommand() {},
    async forgetCommands() {},
    close,
    [Symbol.asyncDispose]: close,
  };
}
