import { EventSource } from 'eventsource';
import { onTestFinished } from 'vitest';
import type { PublicStatus } from '../../cloud/core/availability.ts';
import { waitFor } from '../support/wait.ts';
import { patientMs, region, station } from './rig.ts';

export async function readStatuses(http: string): Promise<PublicStatus[]> {
  const response = await fetch(`${http}/v1/regions/${region}/status.json`);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  const { stations } = (await response.json()) as { stations: PublicStatus[] };
  return stations;
}

export async function readStatus(http: string, id = station): Promise<PublicStatus> {
  const status = (await readStatuses(http)).find((one) => one.id === id);
  if (!status) throw new Error(`${id} is not in the feed`);
  return status;
}

/** What a passer-by sees of a station. */
export function ports(status: PublicStatus) {
  return status.features.find((feature) => feature.kind === 'port');
}

/** Follows the region's event stream; what every patch says of the station, in its order. */
export function follow(http: string, id = station): PublicStatus[] {
  const heard: PublicStatus[] = [];
  const source = new EventSource(`${http}/v1/stream?region=${region}`);
  onTestFinished(() => source.close());
  source.addEventListener('patch', ({ data }) => {
    const { stations } = JSON.parse(data) as { stations: PublicStatus[] };
    heard.push(...stations.filter((status) => status.id === id));
  });
  return heard;
}

/** One number of the Prometheus page. */
export async function readMetric(http: string, name: string): Promise<number> {
  const page = await (await fetch(`${http}/metrics`)).text();
  const line = page.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no ${name} in /metrics`);
  return Number(line.slice(name.length));
}

/** Resolves once the station is live in the feed. */
export function isLive({ http }: { http: string }, id = station): Promise<PublicStatus> {
  return waitFor(
    `${id} to be live`,
    async () => {
      const status = await readStatus(http, id);
      return status.freshness === 'live' ? status : null;
    },
    patientMs,
  );
}
