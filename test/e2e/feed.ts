import { EventSource } from 'eventsource';
import { onTestFinished } from 'vitest';
import type { PublicStatus } from '../../cloud/core/availability.ts';
import { ask, askJson } from '../support/http.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { waitFor } from '../support/wait.ts';
import { patientMs, region, station } from './rig.ts';

export async function readStatuses(http: string): Promise<PublicStatus[]> {
  return (await askJson<{ stations: PublicStatus[] }>(http, `/v1/regions/${region}/status.json`)).stations;
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
  const value = parsePrometheus((await ask(http, '/metrics')).text)
    .get(name)
    ?.samples.get(name);
  if (value === undefined) throw new Error(`no ${name} in /metrics`);
  return value;
}

/** Resolves once the station is live and its sensors are heard, the one that counts people among them. */
export function isLive({ http }: { http: string }, id = station): Promise<PublicStatus> {
  return waitFor(
    `${id} to be live`,
    async () => {
      const status = await readStatus(http, id);
      return status.freshness === 'live' && status.level !== null ? status : null;
    },
    patientMs,
  );
}
