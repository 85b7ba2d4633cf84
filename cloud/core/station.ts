/** Where a position was measured; only WGS-84 is stored. */
export const datums = ['wgs84', 'gcj02', 'bd09'] as const;
export type Datum = (typeof datums)[number];

/** One entry of the register: what does not change by itself. */
export type StationRecord = {
  id: string;
  name: string;
  aliases: string[];
  /** Administrative division code of the region, six digits. */
  region: string;
  /** WGS-84, degrees. */
  lat: number;
  lng: number;
  address: string | null;
  /** Opening hours in OpenStreetMap's syntax, in the station's own time zone. */
  hours: string;
  timeZone: string;
  /** Seats; null where nobody counted them. */
  capacity: number | null;
  facilities: string[];
  steward: string | null;
  complaintLine: string | null;
  /** Demonstration levels and honours, as the union names them. */
  levels: string[];
  /** A `lite` station has no sensors: its host keeps the entry up to date. */
  kind: 'smart' | 'lite';
  /** Unix ms; a removed station stays listed as such. */
  removedAt: number | null;
};
