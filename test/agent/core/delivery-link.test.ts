import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDrained } from '../../../agent/core/delivery-state.ts';
import { LossyLink } from './lossy-link.ts';

type Action =
  | { do: 'append'; events: number }
  | { do: 'deliver' | 'lose' | 'double'; way: 'up' | 'down'; messages: number }
  | { do: 'wait'; ms: number }
  | { do: 'cut' | 'restart-cloud' | 'restart-agent' }
  | { do: 'restore-cloud'; share: number };

/** Spread evenly, as doubles are not. */
const percent = fc.nat(99).map((n) => n / 100);
const messages = fc.integer({ min: 1, max: 6 });
const way = fc.constantFrom('up' as const, 'down' as const);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('append'), events: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 20, arbitrary: fc.record({ do: fc.constant('deliver'), way, messages }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('lose', 'double'), way, messages }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cut', 'restart-cloud', 'restart-agent') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore-cloud'), share: percent }) },
);

function play(link: LossyLink, action: Action): void {
  switch (action.do) {
    case 'append':
      return link.append(action.events);
    case 'deliver':
    case 'lose':
    case 'double':
      return link.carry(action.way, action.messages, action.do);
    case 'wait':
      return link.wait(action.ms);
    case 'cut':
      return link.reconnect();
    case 'restart-cloud':
      return link.restartCloud();
    case 'restart-agent':
      return link.restartAgent();
    case 'restore-cloud':
      return link.restoreCloud(action.share);
  }
}

test('over any loss, doubling, cut, restart and restore everything is acknowledged in the end, nothing skipped', () => {
  const chance = percent;
  const rate = fc.constantFrom(Number.POSITIVE_INFINITY, 5);
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 80, size: 'max' }),
      chance,
      rate,
      fc.constantFrom(3, 64),
      (actions, random, perS, epochs) => {
        const link = new LossyLink(random, { maxBatchesPerS: perS, helloMaxEpochs: epochs });
        for (const act of actions) play(link, act);
        link.settle();
        expect(isDrained(link.delivery.state)).toBe(true);
        expect(link.missing()).toEqual([]);
        expect(link.delivery.state.inFlight).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});
