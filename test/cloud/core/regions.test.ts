import { expect, test } from 'vitest';
import { regionChain } from '../../../cloud/core/regions.ts';

test.each<{ adcode: string; chain: string[] }>([
  { adcode: '341002', chain: ['341002', '341000', '340000', '100000'] },
  { adcode: '341000', chain: ['341000', '340000', '100000'] },
  { adcode: '340000', chain: ['340000', '100000'] },
  { adcode: '100000', chain: ['100000'] },
])('$adcode lies in $chain', ({ adcode, chain }) => {
  expect(regionChain(adcode)).toEqual(chain);
});
