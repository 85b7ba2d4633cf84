import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandError, type Host, integerOption } from '../../protocol/host/command-line.ts';
import { ConfigError, parseConfig } from '../../protocol/host/config-error.ts';
import { commandNames } from '../../protocol/messages.ts';
import { loadCloudConfig } from '../config.ts';
import { iso } from '../core/availability.ts';
import { importColumns, readStationsCsv } from './import-csv.ts';
import { type StationInput, stationInputSchema } from './input.ts';
import { changedStation, newStation, writeLogins } from './logins.ts';
import { type DataOptions, withNewStore, withStore } from './with-store.ts';

type AddOptions = DataOptions & {
  id: string;
  name: string;
  region: string;
  lat: number;
  lng: number;
  datum?: string;
  hours?: string;
  capacity?: number;
  kind?: string;
  alias?: string[];
  facility?: string[];
  steward?: string;
  complaintLine?: string;
  address?: string;
};

/** `station add|list|remove|import`, `command` and `alarms`: the register, its credentials and what is wrong. */
export function addRegisterCommands(program: Command, host: Host): void {
  const station = program.command('station').description('the register of stations and their credentials');
  shared(station.command('add'))
    .description('add a station; its password is shown once and kept nowhere')
    .requiredOption('--id <id>', '1 to 48 of a-z 0-9 -')
    .requiredOption('--name <name>', 'name on the sign')
    .requiredOption('--region <adcode>', 'administrative division code, six digits')
    .requiredOption('--lat <degrees>', 'latitude', decimal('--lat'))
    .requiredOption('--lng <degrees>', 'longitude', decimal('--lng'))
    .option('--datum <datum>', 'datum of the position: wgs84, gcj02 (Amap, Tencent) or bd09 (Baidu)', 'wgs84')
    .option('--hours <text>', "opening hours in OpenStreetMap's syntax", '24/7')
    .option('--capacity <seats>', 'seats', integerOption('--capacity', 1, 10_000))
    .option('--kind <kind>', 'smart, or lite for a station without sensors', 'smart')
    .option('--alias <name...>', 'other names that people use')
    .option('--facility <name...>', 'what the station offers')
    .option('--steward <name>', 'who looks after it')
    .option('--complaint-line <phone>', 'where to complain')
    .option('--address <text>', 'postal address')
    .action((options: AddOptions) => addStation(options, host));
  shared(station.command('list'))
    .description('list the register')
    .action((options: DataOptions) => listStations(options, host));
  shared(station.command('remove'))
    .description('take a station out: its credential ends, its history stays')
    .requiredOption('--id <id>', 'station')
    .action((options: DataOptions & { id: string }) => removeStation(options, host));
  shared(station.command('import'))
    .description(`add or change stations from a CSV file; columns: ${importColumns.join(', ')}`)
    .argument('<file>', 'CSV, UTF-8, with a header')
    .option('--credentials <file>', 'where the passwords of new smart stations go, CSV; it must not exist yet')
    .action((file: string, options: DataOptions & { credentials?: string }) => importStations(file, options, host));
  shared(program.command('command'))
    .description(`send a command to a station: ${commandNames.join(', ')}`)
    .requiredOption('--id <id>', 'station')
    .requiredOption('--name <name>', 'command')
    .option('--expires <seconds>', 'seconds in which it may run', integerOption('--expires', 1, 86_400), 60)
    .action((options: DataOptions & { id: string; name: string; expires: number }) => sendCommand(options, host));
  shared(program.command('alarms'))
    .description('what is wrong with stations, the newest first: each kind as it was last raised')
    .action((options: DataOptions) => listAlarms(options, host));
}

function shared(command: Command): Command {
  return command
    .option('-c, --config <file>', 'cloud configuration, YAML')
    .option('--data <dir>', 'data directory (default: yizhan-cloud)')
    .option('--json', 'JSON on stdout');
}

async function addStation(options: AddOptions, host: Host): Promise<void> {
  const { id, name, region, lat, lng, datum, hours, capacity, kind, alias, facility, steward, complaintLine, address } =
    options;
  const given = {
    id,
    name,
    region,
    lat,
    lng,
    datum,
    hours,
    capacity,
    kind,
    aliases: alias,
    facilities: facility,
    steward,
    complaintLine,
    address,
    timeZone: timeZoneOf(options),
  };
  const input = parseConfig<StationInput>(
    stationInputSchema,
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    'station add',
  );
  const { station, login } = newStation(input);
  const taken = await withNewStore(options, (store) => store.addStations([station]));
  if (taken.length > 0) throw new CommandError(`station ${id} is in the register already`);
  if (options.json) return host.print(JSON.stringify(login ?? { id }));
  host.print(`station ${id} added`);
  if (login)
    host.print(
      `  username ${login.username}\n  password ${login.password}   (shown once: put it into the station's configuration now)`,
    );
}

async function listStations(options: DataOptions, host: Host): Promise<void> {
  const records = await withStore(options, (store) => store.stations());
  if (options.json) return host.print(JSON.stringify(records));
  for (const { id, name, region, kind, hours, removedAt } of records) {
    host.print(`${id}  ${name}  ${region}  ${kind}  ${hours}${removedAt === null ? '' : '  removed'}`);
  }
}

async function removeStation(options: DataOptions & { id: string }, host: Host): Promise<void> {
  const removed = await withStore(options, (store) => store.removeStation(options.id, Date.now()));
  if (!removed) throw new CommandError(`no station ${options.id} in the register`);
  host.print(
    options.json
      ? JSON.stringify({ id: options.id, removed: true })
      : `station ${options.id} removed: its credential no longer works, its history stays`,
  );
}

async function importStations(
  file: string,
  options: DataOptions & { credentials?: string },
  host: Host,
): Promise<void> {
  const inputs = readStationsCsv(readBytes(file), file, timeZoneOf(options));
  const done = await withNewStore(options, async (store) => {
    const records = (await store.stations()).filter((record) => record.removedAt === null);
    const known = new Map(records.map(({ id, kind }) => [id, kind]));
    const fresh = inputs.filter((input) => !known.has(input.id)).map(newStation);
    const changed = inputs
      .filter((input) => known.has(input.id))
      .map((input) => changedStation(input, known.get(input.id)));
    const logins = [...fresh, ...changed].flatMap(({ login }) => (login ? [login] : []));
    if (logins.length > 0 && options.credentials === undefined && !options.json) {
      throw new ConfigError(file, [
        `${logins.length} new stations get passwords: expected --credentials <file> to put them in, or --json`,
      ]);
    }
    // The passwords first: a station whose password nobody has could never connect.
    if (options.credentials !== undefined && logins.length > 0) writeLogins(options.credentials, logins);
    const taken = await store.addStations(fresh.map(({ station }) => station));
    if (taken.length > 0)
      throw new CommandError(`nothing imported: ${taken.join(', ')} came into the register meanwhile; import again`);
    for (const { station } of changed) await store.updateStation(station.record, station.credential);
    return { added: fresh.length, updated: changed.length, logins };
  });
  if (options.json)
    return host.print(
      JSON.stringify({
        added: done.added,
        updated: done.updated,
        ...(options.credentials === undefined ? { credentials: done.logins } : {}),
      }),
    );
  host.print(`${done.added} stations added, ${done.updated} updated`);
}

async function listAlarms(options: DataOptions, host: Host): Promise<void> {
  const alarms = await withStore(options, (store) => store.alarms());
  if (options.json) return host.print(JSON.stringify(alarms));
  for (const { station, kind, sinceMs, detail } of alarms)
    host.print(`${iso(sinceMs)}  ${station}  ${kind}  ${detail}`);
}

async function sendCommand(
  options: DataOptions & { id: string; name: string; expires: number },
  host: Host,
): Promise<void> {
  const id = randomUUID();
  const deadline = Date.now() + options.expires * 1000;
  const reply = await withStore(options, async (store) => {
    if (!(await store.stations()).some((record) => record.id === options.id && record.removedAt === null))
      throw new CommandError(`no station ${options.id} in the register`);
    await store.addCommand({ id, station: options.id, name: options.name, args: {}, expires: deadline });
    while (Date.now() < deadline) {
      const answered = await store.commandReply(id);
      if (answered !== null) return answered;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return null;
  });
  if (reply === null)
    throw new CommandError(
      `${options.id} did not answer within ${options.expires} s: is it connected, and does a cloud serve this data directory?`,
    );
  host.print(options.json ? reply : `${options.id}: ${reply}`);
  if (JSON.parse(reply).ok !== true) throw new CommandError(`${options.name} failed`);
}

function timeZoneOf({ config, data }: DataOptions): string {
  return loadCloudConfig(config, { data }).timeZone;
}

function readBytes(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError(file, [`cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`], {
      cause,
    });
  }
}

function decimal(name: string): (text: string) => number {
  return (text) => {
    if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
    throw new ConfigError('station add', [`${name}: expected degrees such as 29.714, found ${JSON.stringify(text)}`]);
  };
}
