import { describe, expect, test } from 'vitest';
import { stationInputSchema, toRecord, toWgs84 } from '../../../cloud/register/input.ts';

const least = { id: 'tunxi-laojie', name: '老街驿站', region: '341002', lat: 29.714, lng: 118.316 };

test('what most stations share need not be said', () => {
  expect(toRecord(stationInputSchema.parse(least))).toEqual({
    ...least,
    aliases: [],
    address: null,
    hours: '24/7',
    timeZone: 'Asia/Shanghai',
    capacity: null,
    facilities: [],
    steward: null,
    complaintLine: null,
    levels: [],
    kind: 'smart',
    removedAt: null,
  });
});

describe('an entry is refused', () => {
  test.each<[what: string, given: Record<string, unknown>, field: string]>([
    ['whose id is no part of a topic', { id: 'Tunxi/1' }, 'id'],
    ['without a name', { name: '' }, 'name'],
    ['with a region of five digits', { region: '34100' }, 'region'],
    ['with a region that begins with 0', { region: '041002' }, 'region'],
    ['beyond the pole', { lat: 90.1 }, 'lat'],
    ['beyond the date line', { lng: -180.1 }, 'lng'],
    ['with text for a number', { lat: '29' }, 'lat'],
    ['of an unknown datum', { datum: 'wgs-84' }, 'datum'],
    ['with hours that are none', { hours: '周一至周五' }, 'hours'],
    ['of an unknown time zone', { timeZone: 'Asia/Tunxi' }, 'timeZone'],
    ['without a seat', { capacity: 0 }, 'capacity'],
    ['with half a seat', { capacity: 1.5 }, 'capacity'],
    ['of an unknown kind', { kind: 'big' }, 'kind'],
    ['with an empty alias', { aliases: [''] }, 'aliases'],
  ])('%s', (_what, given, field) => {
    const parsed = stationInputSchema.safeParse({ ...least, ...given });
    expect(parsed.error?.issues.map(({ path }) => path[0])).toEqual([field]);
  });

  test('with a field that nobody knows', () => {
    expect(stationInputSchema.safeParse({ ...least, seats: 4 }).success).toBe(false);
  });
});

/** Latitude and longitude of one place as GPS, Amap and Baidu have it; the first two pairs are widely published. */
const places = [
  { wgs84: [31.177428, 121.527211], gcj02: [31.175304, 121.531542], bd09: [31.181329, 121.538016] },
  { wgs84: [22.543847, 113.912316], gcj02: [22.540796, 113.917176], bd09: [22.546667, 113.923685] },
  { wgs84: [29.714, 118.316], gcj02: [29.71156, 118.321166], bd09: [29.717912, 118.327566] },
] as const;

/** Five metres; a wrong datum is hundreds of metres off. */
const near = 4;

test.each(places)('a position of another datum is kept as WGS-84: %o', ({ wgs84, gcj02, bd09 }) => {
  for (const [datum, [lat, lng]] of [
    ['gcj02', gcj02],
    ['bd09', bd09],
    ['wgs84', wgs84],
  ] as const) {
    const found = toWgs84(datum, lat, lng);
    expect(found.lat).toBeCloseTo(wgs84[0], near);
    expect(found.lng).toBeCloseTo(wgs84[1], near);
  }
});

test('a position that is WGS-84 is kept as it is, and one outside China is not shifted', () => {
  expect(toWgs84('wgs84', 29.714, 118.316)).toEqual({ lat: 29.714, lng: 118.316 });
  expect(toWgs84('gcj02', 48.8584, 2.2945)).toEqual({ lat: 48.8584, lng: 2.2945 });
});

test('the record has the position and no datum', () => {
  const record = toRecord(stationInputSchema.parse({ ...least, datum: 'gcj02' }));
  expect(record).not.toHaveProperty('datum');
  expect(Math.abs(record.lng - least.lng)).toBeGreaterThan(0.003);
});
