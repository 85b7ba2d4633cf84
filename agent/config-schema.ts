import cron from 'node-cron';
import { z } from 'zod';
import { sensorKind } from '../protocol/board-line.ts';
import { logLevelSchema, mqttUrlSchema, timeZoneSchema } from '../protocol/host/config-fields.ts';
import { sensorIdSchema, stationIdSchema } from '../protocol/ids.ts';
import { parseTcpAddress } from './sensors/board/address.ts';

const seconds = z
  .number()
  .positive()
  .max(31 * 24 * 3600);
const cronExpression = z.string().refine(
  // node-cron takes seconds in front, too; nobody would look at them.
  (text) => cron.validate(text) && text.trim().split(/\s+/).length === 5,
  'expected a cron expression (minute hour day month weekday)',
);
const address = z
  .string()
  .refine(
    (text) => text.startsWith('/') || parseTcpAddress(text) !== null,
    'expected a tty path such as /dev/ttyS3, or tcp://host:port',
  );
/** A sensor of the station: nothing would ever be heard of one whose name says no kind. */
const ownSensor = sensorIdSchema.refine(
  (name) => sensorKind(name) !== null && sensorKind(name) !== 'board',
  'expected a name that begins with door, people, water, port, env or button',
);
const driverName = z.string().regex(/^[a-z0-9-]{1,24}$/, 'expected 1 to 24 of a-z 0-9 -');
const deviceMap = z
  .record(z.string().min(1).max(128), ownSensor)
  .refine((map) => Object.keys(map).length > 0, 'expected at least one device');

const boardSchema = z.strictObject({
  driver: z.literal('board'),
  /** Sensors remember their driver by it; set it where the order of drivers may change. Default: `board-1`, … */
  name: driverName.optional(),
  port: address,
  /** Line settings of a tty; a `tcp://` serial server has its own. */
  baud: z.int().min(300).max(4_000_000).default(115_200),
  dataBits: z.union([z.literal(5), z.literal(6), z.literal(7), z.literal(8)]).default(8),
  parity: z.enum(['none', 'even', 'odd', 'mark', 'space']).default('none'),
  stopBits: z.union([z.literal(1), z.literal(1.5), z.literal(2)]).default(1),
  /** Sensor names on the wire → names in the station. */
  rename: z.record(sensorIdSchema, ownSensor).default({}),
  /** Sensors of the board that this station does not have. */
  ignore: z.array(sensorIdSchema).max(64).default([]),
  /** Sensors to report as unknown before they speak for the first time. */
  expect: z.array(ownSensor).max(64).default([]),
  /** A board speaks every sensor every 5 s: three missed words are silence. */
  silentAfterS: seconds.default(15),
  /** Without a byte for this long the port is opened again, s. */
  readSilenceS: seconds.default(10),
});

const localBroker = {
  name: driverName.optional(),
  broker: mqttUrlSchema,
  username: z.string().optional(),
  password: z.string().optional(),
  /** Device name at the gateway → sensor of the station. */
  devices: deviceMap,
  /** Plugs are asked for their power this often, s; 0 never. */
  pollS: z.number().min(0).max(86_400).default(30),
};

const zigbeeSchema = z.strictObject({
  driver: z.literal('zigbee2mqtt'),
  ...localBroker,
  base: z.string().min(1).max(128).default('zigbee2mqtt'),
  /** Battery contacts check in about once an hour; zigbee2mqtt itself gives them 25 h. */
  silentAfterS: seconds.default(25 * 3600),
});

const tasmotaSchema = z.strictObject({
  driver: z.literal('tasmota'),
  ...localBroker,
  /** Three unanswered polls. */
  silentAfterS: seconds.default(100),
});

const driverSchema = z.discriminatedUnion('driver', [boardSchema, zigbeeSchema, tasmotaSchema]);

const doorSchema = z.strictObject({
  /** A door open for longer raises `held-open`, s. */
  heldOpenS: seconds.default(300),
});

const peopleSchema = z.strictObject({
  /** Nobody sensed for this long behind a shut door: nobody is inside, s. */
  emptyAfterS: seconds.default(600),
  /** Without a presence sensor: door shut and nobody counted for this long, s. */
  doorShutEmptyS: seconds.default(4 * 3600),
  /** The quiet-hour reset leaves the count alone if someone moved within this time, s. */
  quietIdleS: seconds.default(1800),
});

const waterSchema = z.strictObject({
  /** Drinking water counts as hot from here, °C. */
  hotMinC: z.number().min(30).max(100).default(75),
  /** And as cold up to here, °C. */
  coldMaxC: z.number().min(0).max(40).default(20),
  /** A cup drawn from a small boiler cools it: availability ends this much further, °C. */
  hysteresisC: z.number().min(0).max(30).default(10),
  /** Below this the pump draws air, %. */
  minTankPct: z.number().min(0).max(50).default(5),
});

const portSchema = z
  .strictObject({
    /** A charging phone draws 5 W and more, mW. */
    chargingMw: z.int().min(1).default(2000),
    /** A phone that is full draws less, mW. */
    fullMw: z.int().min(1).default(1000),
    /** An empty socket's meter shows less, mW. */
    idleMw: z.int().min(1).default(150),
    /** No charging port delivers this much, mW. */
    overloadMw: z.int().min(1).default(3_500_000),
    chargingAfterS: z.number().min(0).max(600).default(3),
    /** Phones pause while they negotiate: full only after this long, s. */
    fullAfterS: z.number().min(0).max(3600).default(60),
    freeAfterS: z.number().min(0).max(600).default(5),
  })
  .refine(
    (port) => port.idleMw < port.fullMw && port.fullMw < port.chargingMw && port.chargingMw < port.overloadMw,
    'expected idleMw < fullMw < chargingMw < overloadMw',
  );

const healthSchema = z.strictObject({
  /** A door that turns more often than this within flapWindowS is noise. */
  flapMax: z.int().min(2).max(1000).default(20),
  flapWindowS: seconds.default(10),
  calmS: seconds.default(30),
  /** Where a board may have restarted unseen, its counters wait so long for its `up=`: two words, s. */
  boardSettleS: seconds.default(10),
});

const outboxSchema = z.strictObject({
  /** About a year of a busy station. */
  maxRows: z.int().min(100).default(1_000_000),
  maxBytes: z
    .int()
    .min(262_144)
    .default(256 * 1024 * 1024),
  /** Kept in reserve and given up first when the disk is full, bytes. */
  ballastBytes: z
    .int()
    .min(0)
    .default(4 * 1024 * 1024),
  /** More than the age of the oldest cloud backup that one would restore, days. */
  keepAckedDays: z.number().min(0).max(3650).default(7),
  /** A transition waits this long for company before it is committed, ms. */
  transitionCommitMs: z.int().min(0).max(1000).default(50),
  /** A measurement this long, ms. */
  measurementCommitMs: z.int().min(0).max(60_000).default(2000),
  /** Events that wait for a disk with room, at most. */
  maxPending: z.int().min(100).default(20_000),
  /** Files up to this size are checked before they are used, larger ones beside the running agent, bytes. */
  checkInlineMaxBytes: z
    .int()
    .min(0)
    .default(32 * 1024 * 1024),
});

const linkSchema = z.strictObject({
  windowBatches: z.int().min(1).max(64).default(4),
  noProgressS: seconds.default(20),
  welcomeTimeoutS: seconds.default(20),
  /** Also how often an idle station asks whether the cloud still has what it had, s. */
  rehelloS: seconds.default(300),
  /** A backlog is sent at this rate at most: what is true now comes first. 0: as fast as the window allows. */
  maxBatchesPerS: z.number().min(0).default(50),
  backoffFirstS: seconds.default(1),
  backoffMaxS: seconds.default(120),
  /** A connection that lasted this long starts the backoff from the beginning, s. */
  stableS: seconds.default(30),
});

const clockSchema = z.strictObject({
  /** `system`: the machine's clock is always right. `auto`: while NTP keeps it, else the cloud's. `cloud`: the cloud's alone. */
  trust: z.enum(['auto', 'system', 'cloud']).default('auto'),
  /** systemd-timesyncd keeps this file while the clock is synchronised. */
  ntpMarker: z.string().default('/run/systemd/timesync/synchronized'),
  maxUncertaintyMs: z.int().min(1).default(2000),
  toleranceMs: z.int().min(1).default(1000),
});

const scheduleSchema = z.strictObject({
  timeZone: timeZoneSchema.default('Asia/Shanghai'),
  quietHour: cronExpression.default('0 4 * * *'),
  maintenance: cronExpression.default('30 3 * * *'),
  selfReport: cronExpression.default('0 6 * * *'),
  /** The clock is looked at this often: a job starts so much late at most, s. */
  lookS: z.number().positive().max(60).default(20),
});

export const agentConfigSchema = z.strictObject({
  station: stationIdSchema,
  dataDir: z.string().min(1),
  /** Seats; the cloud's register goes before it. */
  capacity: z.int().min(1).max(10_000).optional(),
  cloud: z.strictObject({
    url: mqttUrlSchema,
    username: z.string().min(1),
    password: z.string().min(1).optional(),
    /** A file that holds the password alone, so that this one need not be secret. */
    passwordFile: z.string().min(1).optional(),
    mqttVersion: z.enum(['3.1.1', '5']).default('3.1.1'),
    keepaliveS: z.int().min(5).max(3600).default(30),
    /** PEM file of the authorities to trust in place of the system's. */
    caFile: z.string().optional(),
  }),
  /** The live state is sent at least this often, s; the cloud calls it live for twice as long. */
  reportIntervalS: z.int().min(5).max(600).default(30),
  /** The same measurement becomes an event at most this often, s. */
  measureEveryS: seconds.default(300),
  /** Silence, a door held open and a phone that is full are noticed to this, s. */
  tickS: seconds.default(1),
  /** Disk, ballast, oldest waiting event and the machine's clock are looked at this often, s. */
  housekeepingS: seconds.default(30),
  maxSensors: z.int().min(1).max(256).default(64),
  sensors: z.array(driverSchema).min(1).max(32),
  door: doorSchema.prefault({}),
  people: peopleSchema.prefault({}),
  water: waterSchema.prefault({}),
  port: portSchema.prefault({}),
  health: healthSchema.prefault({}),
  outbox: outboxSchema.prefault({}),
  link: linkSchema.prefault({}),
  clock: clockSchema.prefault({}),
  schedule: scheduleSchema.prefault({}),
  logLevel: logLevelSchema.default('info'),
});
