import { expect, test } from 'vitest';
import { stationIdSchema } from '../../protocol/ids.ts';
import { presets, simulateRegister } from '../../simulator/core/presets.ts';
import { seededRandom } from '../../simulator/core/random.ts';

test('a register of any size has distinct valid stations near its centre, the same for the same seed', () => {
  const register = simulateRegister(120, 'tunxi-', 'tunxi', seededRandom(4));
  expect(new Set(register.map((station) => station.id)).size).toBe(120);
  expect(new Set(register.map((station) => station.name)).size).toBe(120);
  for (const { id, region, lat, lng, capacity } of register) {
    expect(stationIdSchema.safeParse(id).success).toBe(true);
    expect(region).toBe(presets.tunxi.region);
    expect(Math.abs(lat - presets.tunxi.lat)).toBeLessThanOrEqual(0.05);
    expect(Math.abs(lng - presets.tunxi.lng)).toBeLessThanOrEqual(0.05);
    expect(capacity).toBeGreaterThanOrEqual(8);
  }
  expect(simulateRegister(120, 'tunxi-', 'tunxi', seededRandom(4))).toEqual(register);
});
