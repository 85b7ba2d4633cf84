import type { Random } from './random.ts';

/** Regions of the field with the figures of their unions' reports, and a position to scatter around. */
export const presets = {
  tunxi: { region: '341002', lat: 29.714, lng: 118.316, stations: 16, visitsPerDay: 11.6 },
  louxing: { region: '431302', lat: 27.729, lng: 112.001, stations: 5, visitsPerDay: 11.6 },
  guyuan: { region: '640402', lat: 36.016, lng: 106.243, stations: 48, visitsPerDay: 12.4 },
  shandong: { region: '370102', lat: 36.666, lng: 117.076, stations: 950, visitsPerDay: 12.4 },
  nation: { region: '110101', lat: 39.929, lng: 116.416, stations: 12_100, visitsPerDay: 12.4 },
} as const;

export type PresetName = keyof typeof presets;

const streets = [
  '老街',
  '黎阳',
  '阳湖',
  '昱城',
  '新潭',
  '屯光',
  '奕棋',
  '花山',
  '江心洲',
  '滨江',
  '火车站',
  '汽车站',
  '机场路',
  '延安路',
  '前园路',
  '华山路',
];

export type SimulatedStation = { id: string; name: string; region: string; lat: number; lng: number; capacity: number };

/** Register entries of simulated stations around a preset's centre. */
export function simulateRegister(
  count: number,
  prefix: string,
  preset: PresetName,
  random: Random,
): SimulatedStation[] {
  const { region, lat, lng } = presets[preset];
  return Array.from({ length: count }, (_, index) => ({
    id: `${prefix}${String(index + 1).padStart(String(count).length, '0')}`,
    name: `${streets[index % streets.length]}驿站${index >= streets.length ? Math.floor(index / streets.length) + 1 : ''}`,
    region,
    lat: Number((lat + (random.next() - 0.5) / 10).toFixed(6)),
    lng: Number((lng + (random.next() - 0.5) / 10).toFixed(6)),
    capacity: 8 + random.int(9),
  }));
}
