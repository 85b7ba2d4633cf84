import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadCloudConfig } from '../../cloud/config.ts';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { runProgram } from '../support/programs.ts';
import { tempDir } from '../support/temp-dir.ts';

function fileWith(yaml: string): string {
  const path = join(tempDir(), 'cloud.yaml');
  writeFileSync(path, yaml);
  return path;
}

function problems(yaml: string): readonly string[] {
  try {
    loadCloudConfig(fileWith(yaml), {});
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

const defaults = {
  dataDir: resolve('yizhan-cloud'),
  http: { host: '0.0.0.0', port: 8080, metrics: 'local' },
  mqtt: {
    host: '0.0.0.0',
    port: 1883,
    tls: null,
    maxConnections: 50_000,
    maxPreAuthBytes: 16_384,
    maxFrameBytes: 131_072,
    maxUnreadBytes: 1_048_576,
    loginTimeoutS: 10,
  },
  broker: null,
  ingest: {
    maxGroupItems: 5000,
    maxQueuedBytes: 33_554_432,
    aheadWindow: 2000,
    maxQuarantinePerStation: 1000,
    saveLiveS: 2,
  },
  feed: {
    licence: 'https://creativecommons.org/licenses/by/4.0/',
    maxClients: 20_000,
    maxUnreadBytes: 262_144,
    beatS: 15,
    coalesceS: 1,
  },
  watchS: 1,
  commandsS: 5,
  timeZone: 'Asia/Shanghai',
  logLevel: 'info',
};

test('everything has a default', () => {
  expect(loadCloudConfig(undefined, {})).toEqual(defaults);
  expect(Object.isFrozen(loadCloudConfig(undefined, {}))).toBe(true);
});

test.each([[''], ['# only a comment\n'], ['{}']])('an empty file %j is all defaults', (yaml) => {
  const path = fileWith(yaml);
  expect(loadCloudConfig(path, {})).toEqual({ ...defaults, dataDir: join(path, '..', 'yizhan-cloud') });
});

test('a section that says one field keeps the defaults of the others', () => {
  const { http, mqtt, ingest } = loadCloudConfig(fileWith('http: { port: 1 }\nmqtt: { host: "::1" }\n'), {});
  expect({ http, mqtt, ingest }).toEqual({
    http: { host: '0.0.0.0', port: 1, metrics: 'local' },
    mqtt: { ...defaults.mqtt, host: '::1' },
    ingest: defaults.ingest,
  });
});

test('files are looked for beside the configuration', () => {
  const path = fileWith(
    'dataDir: data\nmqtt: { certFile: cert.pem, keyFile: key.pem }\nbroker: { url: "mqtts://b", username: cloud, passwordFile: pw, caFile: ca.pem }\n',
  );
  for (const name of ['cert.pem', 'key.pem', 'ca.pem']) writeFileSync(join(path, '..', name), `${name}\n`);
  writeFileSync(join(path, '..', 'pw'), 'secret\n');
  const { dataDir, mqtt, broker } = loadCloudConfig(path, {});
  expect({ dataDir, tls: mqtt.tls, broker }).toEqual({
    dataDir: join(path, '..', 'data'),
    tls: { cert: 'cert.pem\n', key: 'key.pem\n' },
    broker: { url: 'mqtts://b', username: 'cloud', password: 'secret', ca: 'ca.pem\n' },
  });
  expect(mqtt).not.toHaveProperty('certFile');
});

test('the command line goes before the file, field by field', () => {
  const path = fileWith(
    'dataDir: data\nhttp: { host: h, port: 1 }\nmqtt: { host: m, port: 2 }\nbroker: { url: "mqtt://old", username: u }\n',
  );
  const config = loadCloudConfig(path, { data: 'here', httpPort: 0, mqttPort: 4, broker: 'mqtt://new:1' });
  expect(config).toMatchObject({
    dataDir: resolve('here'),
    http: { host: 'h', port: 0 },
    mqtt: { host: 'm', port: 4 },
    broker: { url: 'mqtt://new:1', username: 'u' },
  });
  expect(loadCloudConfig(undefined, { httpPort: 5, broker: 'mqtt://b' })).toMatchObject({
    http: { host: '0.0.0.0', port: 5 },
    mqtt: { port: 1883 },
    broker: { url: 'mqtt://b' },
  });
});

describe('a wrong configuration is refused, with every wrong field', () => {
  test('together', () => {
    expect(
      problems('http: { port: 70000 }\nmqtt: { maxFrameBytes: 10 }\ntimeZone: Mars\nlogLevel: loud\nlicense: x\n'),
    ).toEqual([
      'http.port: expected number to be <=65535, found 70000',
      'mqtt.maxFrameBytes: expected number to be >=66560, found 10',
      'timeZone: expected an IANA time zone such as Asia/Shanghai, found "Mars"',
      expect.stringMatching(/^logLevel: .*"info".*, found "loud"$/),
      'license: not a known field',
    ]);
  });

  test.each<[what: string, yaml: string, problem: RegExp]>([
    ['a certificate without its key', 'mqtt: { certFile: c }', /^mqtt: expected:? ?certFile and keyFile together/],
    [
      'two passwords',
      'broker: { url: "mqtt://b", password: a, passwordFile: b }',
      /^broker: expected one of password and passwordFile/,
    ],
    ['a broker without an address', 'broker: { username: u }', /^broker\.url: .*found nothing/],
    ['an address that is none', 'broker: { url: "http://b" }', /^broker\.url: expected mqtt:\/\/host/],
    [
      'a file that is not there',
      'mqtt: { certFile: no.pem, keyFile: no.key }',
      /^mqtt\.certFile: .*no\.pem cannot be read/,
    ],
    ['no YAML', 'a: [', /^line \d+: not YAML/],
    ['a list', '- a\n- b', /^\(whole file\): expected/],
    ['a section that is no mapping', 'http: 8080', /^http: expected/],
    ['no room at all', 'ingest: { maxQueuedBytes: 1 }', /^ingest\.maxQueuedBytes: /],
    ['a window of nothing', 'ingest: { aheadWindow: 0 }', /^ingest\.aheadWindow: /],
  ])('%s', (_what, yaml, problem) => {
    const found = problems(yaml);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(problem);
  });

  test('a section that is no mapping, though the command line overrides a field of it', () => {
    expect(() => loadCloudConfig(fileWith('- a'), { httpPort: 1 })).toThrow(ConfigError);
  });

  test('a file that is not there', () => {
    expect(() => loadCloudConfig('/nowhere.yaml', {})).toThrow(/nowhere/);
  });
});

test('no password is in what is printed', () => {
  expect(problems('broker: { url: "mqtt://b", password: [hunter2] }').join()).not.toContain('hunter2');
});

test.each<[what: string, yaml: string, problem: string]>([
  ['a wrong field', 'http: { port: -1 }', 'http.port: expected number to be >=0, found -1'],
  ['a certificate that is none', 'mqtt: { certFile: cloud.yaml, keyFile: cloud.yaml, port: 0 }', 'mqtt: 1 problem'],
])('the program ends with code 78 and says it: %s', async (_what, yaml, problem) => {
  const { code, stderr } = await runProgram('cloud', ['serve', '--config', fileWith(`${yaml}\n`)]);
  expect(code).toBe(78);
  expect(stderr).toContain(problem);
});
