import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, parseConfig } from '../protocol/host/config-error.ts';
import { logLevelSchema, mqttUrlSchema, timeZoneSchema } from '../protocol/host/config-fields.ts';
import { readNamedFile, readYamlFile } from '../protocol/host/config-file.ts';

const port = z.int().min(0).max(65_535);

export const cloudConfigSchema = z.strictObject({
  dataDir: z.string().min(1).default('yizhan-cloud'),
  http: z
    .strictObject({
      host: z.string().min(1).default('0.0.0.0'),
      port: port.default(8080),
      /** Who is told `/metrics`: a cloud of one station counts in them who opens its door. */
      metrics: z.enum(['local', 'public', 'off']).default('local'),
    })
    .prefault({}),
  /** The embedded broker; not started where `broker` names an external one. */
  mqtt: z
    .strictObject({
      host: z.string().min(1).default('0.0.0.0'),
      port: port.default(1883),
      /** PEM files; with both the broker speaks TLS alone. */
      certFile: z.string().optional(),
      keyFile: z.string().optional(),
      maxConnections: z.int().min(1).default(50_000),
      /** A CONNECT with its will and credentials is below 1 KiB, bytes. */
      maxPreAuthBytes: z
        .int()
        .min(1024)
        .default(16 * 1024),
      /** The largest message of the protocol with its topic, bytes. */
      maxFrameBytes: z
        .int()
        .min(65 * 1024)
        .default(128 * 1024),
      /** What one station may leave unread before it is disconnected, bytes. */
      maxUnreadBytes: z
        .int()
        .min(64 * 1024)
        .default(1024 * 1024),
      /** A connection has to log in within this, s. */
      loginTimeoutS: z.number().positive().default(10),
    })
    .refine(
      (mqtt) => (mqtt.certFile === undefined) === (mqtt.keyFile === undefined),
      'expected certFile and keyFile together',
    )
    .prefault({}),
  broker: z
    .strictObject({
      url: mqttUrlSchema,
      username: z.string().optional(),
      password: z.string().optional(),
      passwordFile: z.string().optional(),
      caFile: z.string().optional(),
    })
    .optional(),
  ingest: z
    .strictObject({
      /** Messages of one transaction: more make the wait for the disk cheaper, and longer. */
      maxGroupItems: z.int().min(1).default(5000),
      /** Payload that waits for its commit; above it stations are held back, bytes. */
      maxQueuedBytes: z
        .int()
        .min(1024)
        .default(32 * 1024 * 1024),
      /** Sequences stored ahead of a hole, an epoch. */
      aheadWindow: z.int().min(1).default(2000),
      maxQuarantinePerStation: z.int().min(0).default(1000),
      /** Live states are saved this often: a crash shows them this much older, s. */
      saveLiveS: z.number().positive().default(2),
    })
    .prefault({}),
  feed: z
    .strictObject({
      licence: z.string().default('https://creativecommons.org/licenses/by/4.0/'),
      maxClients: z.int().min(0).default(20_000),
      maxUnreadBytes: z
        .int()
        .min(1024)
        .default(256 * 1024),
      beatS: z.number().positive().default(15),
      /** Changes of so long go together: one patch, one step, s. */
      coalesceS: z.number().positive().default(1),
    })
    .prefault({}),
  /** Another process may have changed the register: it is looked at this often, s. */
  watchS: z.number().positive().default(1),
  /** A command is sent again this often until it is answered or expires, s. */
  commandsS: z.number().positive().default(5),
  timeZone: timeZoneSchema.default('Asia/Shanghai'),
  logLevel: logLevelSchema.default('info'),
});

type Parsed = z.infer<typeof cloudConfigSchema>;
type Files = { certFile?: string; keyFile?: string };

export type CloudConfig = Omit<Parsed, 'mqtt' | 'broker'> & {
  mqtt: Omit<Parsed['mqtt'], keyof Files> & { tls: { cert: string; key: string } | null };
  broker: { url: string; username: string | undefined; password: string | undefined; ca: string | undefined } | null;
};

/** What the command line may say in place of the file. */
export type CloudOverrides = {
  data?: string | undefined;
  httpPort?: number | undefined;
  mqttPort?: number | undefined;
  broker?: string | undefined;
};

/**
 * The configuration from a file, if there is one, the command line, and defaults for the rest.
 *
 * @throws ConfigError that lists every wrong field
 */
export function loadCloudConfig(path: string | undefined, overrides: CloudOverrides): CloudConfig {
  const source = path ?? 'command line';
  const parsed = parseConfig(
    cloudConfigSchema,
    overridden(path === undefined ? {} : readYamlFile(path), overrides),
    source,
  );
  const base = path === undefined ? resolve('.') : dirname(resolve(path));
  const { certFile, keyFile, ...mqtt } = parsed.mqtt;
  const { broker } = parsed;
  if (broker?.password !== undefined && broker.passwordFile !== undefined)
    throw new ConfigError(source, ['broker: expected one of password and passwordFile']);
  const second = (field: string, file: string | undefined): string | undefined =>
    file === undefined ? undefined : readNamedFile(source, field, resolve(base, file));
  const cert = second('mqtt.certFile', certFile);
  const key = second('mqtt.keyFile', keyFile);
  return Object.freeze({
    ...parsed,
    dataDir: resolve(base, parsed.dataDir),
    mqtt: { ...mqtt, tls: cert !== undefined && key !== undefined ? { cert, key } : null },
    broker: broker
      ? {
          url: broker.url,
          username: broker.username,
          password: broker.password ?? second('broker.passwordFile', broker.passwordFile)?.trim(),
          ca: second('broker.caFile', broker.caFile),
        }
      : null,
  });
}

/** The command line goes before the file. A file that is no mapping is left for the schema to refuse. */
function overridden(value: unknown, { data, httpPort, mqttPort, broker }: CloudOverrides): unknown {
  const file = value ?? {};
  if (typeof file !== 'object' || Array.isArray(file)) return file;
  const section = (name: string): object => {
    const known: unknown = Reflect.get(file, name);
    return typeof known === 'object' && known !== null ? known : {};
  };
  return {
    ...file,
    ...(data === undefined ? {} : { dataDir: resolve(data) }),
    ...(httpPort === undefined ? {} : { http: { ...section('http'), port: httpPort } }),
    ...(mqttPort === undefined ? {} : { mqtt: { ...section('mqtt'), port: mqttPort } }),
    ...(broker === undefined ? {} : { broker: { ...section('broker'), url: broker } }),
  };
}
