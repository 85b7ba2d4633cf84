import { describe } from 'vitest';
import { helloContract } from './hello.ts';
import type { StoreKit } from './kit.ts';
import { laneContract } from './lane.ts';
import { modelContract } from './model.ts';
import { registerContract } from './register.ts';
import { sumsContract } from './sums.ts';

/** What the cloud relies on, of any implementation of `Store`. */
export function storeContract(name: string, kit: StoreKit): void {
  describe(`${name}: durable lane`, () => laneContract(kit));
  describe(`${name}: hello`, () => helloContract(kit));
  describe(`${name}: sums`, () => sumsContract(kit));
  describe(`${name}: beside the lane`, () => registerContract(kit));
  describe(`${name}: against a model`, () => modelContract(kit));
}
