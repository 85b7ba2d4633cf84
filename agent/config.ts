import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigError, parseConfig } from '../protocol/host/config-error.ts';
import { readNamedFile, readYamlFile } from '../protocol/host/config-file.ts';
import { agentConfigSchema } from './config-schema.ts';

type Parsed = z.infer<typeof agentConfigSchema>;
export type DriverConfig = Parsed['sensors'][number] & { name: string };
export type AgentConfig = Omit<Parsed, 'sensors' | 'cloud'> & {
  sensors: readonly DriverConfig[];
  cloud: Omit<Parsed['cloud'], 'password' | 'passwordFile' | 'caFile'> & { password: string; ca: string | undefined };
};

/**
 * Reads and checks a station's configuration.
 *
 * @throws ConfigError that lists every wrong field
 */
export function loadConfig(path: string): AgentConfig {
  return agentConfig(readYamlFile(path), path);
}

/**
 * A station's configuration from plain data.
 *
 * @param path of the file that it stands for: other files are found relative to it
 * @throws ConfigError that lists every wrong field
 */
export function agentConfig(value: unknown, path: string): AgentConfig {
  const parsed = parseConfig(agentConfigSchema, value, path);
  const issues = crossChecks(parsed);
  if (issues.length > 0) throw new ConfigError(path, issues);
  const base = dirname(resolve(path));
  const { password, passwordFile, caFile, ...cloud } = parsed.cloud;
  return Object.freeze({
    ...parsed,
    dataDir: resolve(base, parsed.dataDir),
    sensors: nameDrivers(parsed.sensors),
    cloud: {
      ...cloud,
      password: password ?? readNamedFile(path, 'cloud.passwordFile', resolve(base, passwordFile ?? '')).trim(),
      ca: caFile === undefined ? undefined : readNamedFile(path, 'cloud.caFile', resolve(base, caFile)),
    },
  });
}

/** What no single field shows. */
function crossChecks({ cloud, sensors }: Parsed): string[] {
  const issues: string[] = [];
  if ((cloud.password === undefined) === (cloud.passwordFile === undefined))
    issues.push('cloud: expected one of password and passwordFile');
  const owners = new Map<string, string>();
  const names = new Set<string>();
  nameDrivers(sensors).forEach((driver, index) => {
    if (names.has(driver.name)) issues.push(`sensors[${index}].name: ${driver.name} is the name of another driver`);
    names.add(driver.name);
    const mapped = driver.driver === 'board' ? driver.expect : Object.values(driver.devices);
    for (const sensor of mapped) {
      const owner = owners.get(sensor);
      if (owner !== undefined) issues.push(`sensors[${index}]: ${sensor} is mapped already by ${owner}`);
      owners.set(sensor, `sensors[${index}]`);
    }
  });
  return issues;
}

/** `board-1`, `board-2`, `tasmota-1`, … where the configuration gives no name. */
function nameDrivers(sensors: Parsed['sensors']): DriverConfig[] {
  const counts = new Map<string, number>();
  return sensors.map((driver) => {
    const n = (counts.get(driver.driver) ?? 0) + 1;
    counts.set(driver.driver, n);
    return { ...driver, name: driver.name ?? `${driver.driver}-${n}` };
  });
}
