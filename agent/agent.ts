import type { EventBody } from '../protocol/events.ts';
import { type Cancel, type Clock, every } from '../protocol/host/clock.ts';
import type { Logger } from '../protocol/host/log.ts';
import type { OpenSession } from '../protocol/host/session.ts';
import { StoreError } from '../protocol/host/sqlite.ts';
import type { Command, Messages } from '../protocol/messages.ts';
import type { StationState, StorageCondition } from '../protocol/state.ts';
import { protocolVersion } from '../protocol/version.ts';
import type { AgentConfig } from './config.ts';
import type { ClockSample } from './core/clock.ts';
import { liveParts } from './core/live-state.ts';
import {
  type StationConfig,
  type StationCore,
  type StationEffect,
  type StationInput,
  startStation,
  stationMemory,
  stepStation,
} from './core/station.ts';
import { memoryRows, readMemoryRows } from './core/station-memory.ts';
import { type CommandHandler, runCommand } from './link/commands.ts';
import { type DeliveryNotice, Link } from './link/link.ts';
import { DriverLog } from './ops/driver-log.ts';
import { startSchedule } from './ops/schedule.ts';
import { Upkeep } from './ops/upkeep.ts';
import { checkBeside } from './outbox/check.ts';
import type { Disk } from './outbox/disk.ts';
import { ballastPath, openOutbox, type StoredOutbox } from './outbox/open-outbox.ts';
import type { Outbox, Trimmed } from './outbox/outbox.ts';
import { Writer } from './outbox/writer.ts';
import type { Driver, DriverEvent } from './sensors/driver.ts';
import { type DriversIo, sourceSpecs } from './sensors/start-drivers.ts';
import { clockSettings, linkSettings, stationSettings, withoutMeasurements, writerSettings } from './settings.ts';
import { TrustedClock } from './trusted-clock.ts';
import { agentVersion } from './version.ts';

/** Everything that the agent touches of the world. */
export type AgentIo = {
  clock: Clock;
  random: () => number;
  /** 128 random bits as 32 hex digits. */
  newId: () => string;
  /** A short random token. */
  newToken: () => string;
  /** Id of this boot of the machine. */
  boot: string;
  log: Logger;
  disk: Disk;
  openSession: OpenSession;
  startDrivers: (drivers: AgentConfig['sensors'], io: DriversIo) => Driver[];
  /** Bytes that this process caused to be written to storage so far; null where not told. */
  bytesWritten: () => number | null;
  ntpSynchronised: (markerPath: string) => boolean;
};

export type StartReason = 'start' | 'reload' | 'storage-failed';

const tickMs = 1000;
const housekeepingMs = 30_000;
const drainMs = 2500;

/**
 * Opens the station's outbox with a new epoch.
 *
 * @throws StoreError where none can be opened
 */
export function openStationOutbox(config: AgentConfig, why: StartReason, io: AgentIo): Promise<StoredOutbox> {
  const { clock, disk, boot, newId } = io;
  // After a failure nothing is taken on trust, however long the check takes.
  const checkInlineMaxBytes = why === 'storage-failed' ? Number.POSITIVE_INFINITY : config.outbox.checkInlineMaxBytes;
  return openOutbox({ disk, dataDir: config.dataDir, boot, newId, wallMs: clock.wallMs(), checkInlineMaxBytes });
}

/** Starts the drivers and the link over an open outbox; it runs until it is stopped or its storage fails. */
export async function startAgent(
  config: AgentConfig,
  why: StartReason,
  stored: StoredOutbox,
  io: AgentIo,
): Promise<Agent> {
  const rows = await stored.outbox.memory();
  const { memory, damaged } = readMemoryRows(rows);
  if (damaged.length > 0) io.log.error({ keys: damaged }, 'memory rows damaged: their counters begin again');
  const core = startStation(sourceSpecs(config.sensors), memory, io.boot, io.clock.monotonicMs());
  const agent = new Agent(config, io, stored, core, rows);
  await agent.begin(why);
  return agent;
}

/** The loop around the cores: one executor an effect, every wait and bound in the configuration. */
export class Agent {
  /** Resolves with the error once the outbox can no longer be trusted: stop, and start again. */
  readonly failed: Promise<unknown>;
  readonly #config: AgentConfig;
  readonly #io: AgentIo;
  readonly #outbox: Outbox;
  readonly #path: string;
  readonly #uncheckedFile: boolean;
  readonly #clock: TrustedClock;
  readonly #writer: Writer;
  readonly #link: Link;
  readonly #driverLog: DriverLog;
  readonly #upkeep: Upkeep;
  readonly #stopping = new AbortController();
  readonly #settings: StationConfig;
  readonly #startedMs: number;
  readonly #fail: (error: unknown) => void;
  #core: StationCore;
  #drivers: Driver[] = [];
  #timers: Cancel[] = [];

  constructor(
    config: AgentConfig,
    io: AgentIo,
    stored: StoredOutbox,
    core: StationCore,
    savedRows: Readonly<Record<string, string>>,
  ) {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.failed = promise;
    this.#fail = resolve;
    this.#config = config;
    this.#io = io;
    this.#outbox = stored.outbox;
    this.#path = stored.path;
    this.#uncheckedFile = stored.unchecked;
    this.#core = core;
    this.#settings = stationSettings(config);
    this.#startedMs = io.clock.monotonicMs();
    this.#upkeep = new Upkeep(stored, io.disk, io.bytesWritten);
    this.#clock = new TrustedClock(io.clock, io.boot, clockSettings(config), stored.outbox);
    this.#driverLog = new DriverLog(io.log.child({ component: 'sensors' }), io.clock);
    this.#writer = this.#newWriter(savedRows);
    this.#link = this.#newLink();
  }

  /** Says that the agent started, and lets drivers, timers and jobs run. */
  async begin(why: StartReason): Promise<void> {
    const { recovered } = this.#outbox;
    this.#io.log.info({ epoch: this.#outbox.currentEpoch(), why }, 'agent started');
    this.#say({ kind: 'agent', sensor: 'agent', what: 'started', detail: { version: agentVersion, why } });
    if (why === 'reload') this.#say({ kind: 'agent', sensor: 'agent', what: 'config-applied' });
    if (recovered) {
      this.#io.log.error(recovered, 'outbox was corrupt: set aside, and salvaged what could be read');
      this.#alarm('corrupt-outbox', { problem: recovered.problem.slice(0, 200), events: recovered.events });
    }
    await this.#housekeep();
    await this.#writer.flush();
    const driversIo: DriversIo = {
      clock: this.#io.clock,
      random: this.#io.random,
      openSession: this.#io.openSession,
      emit: (source, event) => this.#hear(source, event),
    };
    this.#drivers = this.#io.startDrivers(this.#config.sensors, driversIo);
    this.#timers = [
      every(this.#io.clock, tickMs, () => this.#apply({ type: 'tick', at: this.#clock.moment() })),
      every(this.#io.clock, housekeepingMs, () => void this.#housekeep().catch(this.#fail)),
      this.#startJobs(),
    ];
    if (this.#uncheckedFile) void this.#checkFile();
  }

  /** Stops the sensors, commits and sends what is there, says goodbye and closes the outbox. */
  async stop(reason: string): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#stopping.abort();
    await Promise.all(this.#drivers.map((driver) => driver[Symbol.asyncDispose]()));
    this.#apply({ type: 'flush', at: this.#clock.moment() });
    this.#say({ kind: 'agent', sensor: 'agent', what: 'stopped', detail: { reason } });
    await this.#writer.flush();
    const drained = await this.#link.drain(drainMs);
    await this.#close();
    this.#io.log.info({ reason, drained }, 'agent stopped');
  }

  /** Lets go of everything after the outbox failed; what was not committed is counted again. */
  async abandon(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    this.#stopping.abort();
    await Promise.all(this.#drivers.map((driver) => driver[Symbol.asyncDispose]()));
    await this.#close().catch((error: unknown) => this.#io.log.error({ err: error }, 'failed outbox did not close'));
  }

  async #close(): Promise<void> {
    this.#writer.close();
    await this.#link.close();
    await this.#outbox.close();
  }

  #newWriter(savedRows: Readonly<Record<string, string>>): Writer {
    return new Writer(writerSettings(this.#config), savedRows, {
      clock: this.#io.clock,
      disk: this.#io.disk,
      outbox: this.#outbox,
      ballastPath: ballastPath(this.#config.dataDir),
      memory: () => memoryRows(stationMemory(this.#core)),
      committed: (epoch, last) => this.#link.appended(epoch, last),
      trimmed: (trimmed) => this.#trimmed(trimmed),
      conditionChanged: (condition) => this.#storage(condition),
      failed: this.#fail,
    });
  }

  #newLink(): Link {
    return new Link(linkSettings(this.#config, agentVersion), {
      clock: this.#io.clock,
      random: this.#io.random,
      newToken: this.#io.newToken,
      openSession: this.#io.openSession,
      outbox: this.#outbox,
      log: this.#io.log.child({ component: 'link' }),
      state: (nonce, beat) => this.#state(nonce, beat),
      clockSample: (sample) => this.#sampleClock(sample),
      command: (command) => this.#command(command),
      alarm: (notice) => this.#deliveryAlarm(notice),
      failed: this.#fail,
    });
  }

  #hear(source: string, event: DriverEvent): void {
    this.#driverLog.note(source, event);
    const at = this.#clock.moment();
    switch (event.type) {
      case 'reading':
        return this.#apply({ type: 'reading', at, source, board: event.board, reading: event.reading });
      case 'board-up':
        return this.#apply({ type: 'board-up', at, board: event.board, upS: event.upS });
      case 'board-restarted':
      case 'board-unsettled':
        return this.#apply({ type: event.type, at, board: event.board });
      case 'rejected':
        return this.#apply({ type: 'rejected', at, source });
      case 'gone':
        return this.#apply({ type: 'gone', at, sensor: event.sensor, reason: event.reason });
      case 'opened':
      case 'closed':
      case 'lost-lines':
      case 'unknown':
        return;
    }
  }

  #apply(input: StationInput): void {
    const settings = this.#writer.condition === 'ok' ? this.#settings : withoutMeasurements(this.#settings);
    const { core, effects } = stepStation(this.#core, input, settings);
    this.#core = core;
    for (const effect of effects) this.#execute(effect, input.at.monoMs);
  }

  #execute(effect: StationEffect, monoMs: number): void {
    switch (effect.type) {
      case 'said':
        return this.#writer.push(effect.event, monoMs);
      case 'changed':
        return this.#link.stateChanged();
      case 'refused-sensor':
        return this.#driverLog.refusedSensor(effect.sensor, effect.source, effect.why);
    }
  }

  #say(body: Extract<EventBody, { kind: 'agent' }>): void {
    this.#writer.push({ body, transition: true }, this.#io.clock.monotonicMs());
  }

  #alarm(alarm: string, detail: Record<string, string | number>): void {
    this.#say({ kind: 'agent', sensor: 'agent', what: 'storage-alarm', detail: { alarm, ...detail } });
  }

  #trimmed({ rows, measurements, transitions }: Trimmed): void {
    this.#io.log.error(
      { rows, measurements, transitions },
      'outbox trimmed: unacknowledged events became gap receipts',
    );
    this.#say({ kind: 'agent', sensor: 'agent', what: 'buffer-trimmed', detail: { rows, measurements, transitions } });
  }

  #storage(condition: StorageCondition): void {
    this.#io.log[condition === 'ok' ? 'info' : 'error']({ condition }, 'storage condition changed');
    if (condition !== 'ok') this.#alarm(condition, {});
    this.#link.stateChanged();
  }

  #deliveryAlarm({ alarm, epoch, acked, upTo }: DeliveryNotice): void {
    this.#io.log.warn({ alarm, epoch, acked, upTo }, 'the cloud stores another part of the log than was acknowledged');
    if (alarm !== 'rewound') this.#alarm(alarm, { epoch, acked, upTo });
  }

  async #sampleClock(sample: ClockSample): Promise<boolean> {
    if (sample.source === 'cloud' && this.#config.clock.trust === 'system') return this.#clock.wallMs() !== null;
    const set = await this.#clock.observe(sample);
    if (set) {
      this.#io.log.info(set, 'clock set');
      this.#say({
        kind: 'agent',
        sensor: 'agent',
        what: 'clock-set',
        detail: { source: set.source, movedMs: set.movedMs },
      });
      this.#link.stateChanged();
    }
    return this.#clock.wallMs() !== null;
  }

  #state(nonce: string, beat: boolean): StationState {
    const { epoch, last } = this.#position();
    const wallMs = this.#clock.wallMs();
    const capacity = this.#config.capacity;
    return {
      v: protocolVersion,
      epoch,
      seq: last,
      at: wallMs,
      nonce,
      clock: wallMs === null ? 'unset' : 'set',
      reportIntervalS: this.#config.reportIntervalS,
      ...(capacity === undefined ? {} : { capacity }),
      ...(beat ? { beat } : {}),
      ...liveParts(this.#core),
      agent: {
        version: agentVersion,
        uptimeS: Math.round((this.#io.clock.monotonicMs() - this.#startedMs) / 1000),
        outboxRows: this.#outbox.use().rows,
        ...this.#upkeep.report(wallMs),
        storage: this.#outbox.durable ? this.#writer.condition : 'failed',
      },
    };
  }

  #position(): { epoch: string; last: number } {
    const current = this.#outbox.positions().at(-1);
    return { epoch: this.#outbox.currentEpoch(), last: current?.last ?? 0 };
  }

  /** What is looked at now and then: the ballast, the disk, the oldest waiting event, the clock. */
  async #housekeep(): Promise<void> {
    const { clock, ntpSynchronised } = this.#io;
    const { trust, ntpMarker } = this.#config.clock;
    this.#writer.tick();
    await this.#upkeep.look();
    if (trust === 'system' || (trust === 'auto' && ntpSynchronised(ntpMarker))) {
      const trusted = await this.#sampleClock({
        source: 'system',
        monoMs: clock.monotonicMs(),
        wallMs: clock.wallMs(),
        uncertaintyMs: 0,
      });
      this.#link.clockTrusted(trusted);
    }
  }

  #startJobs(): Cancel {
    const { quietHour, maintenance, selfReport, timeZone } = this.#config.schedule;
    const jobs = [
      { name: 'quiet-hour', cron: quietHour, run: () => this.#apply({ type: 'quiet-hour', at: this.#clock.moment() }) },
      { name: 'maintenance', cron: maintenance, run: () => void this.#maintain().catch(this.#fail) },
      { name: 'self-report', cron: selfReport, run: () => this.#selfReport() },
    ];
    return startSchedule(jobs, timeZone, this.#io.clock, () => this.#clock.wallMs());
  }

  async #maintain(): Promise<void> {
    await this.#upkeep.maintain(this.#clock.wallMs());
    this.#link.helloAgain();
    this.#io.log.info(this.#outbox.use(), 'outbox maintained');
  }

  #selfReport(): void {
    const detail = this.#upkeep.selfReport(this.#clock.wallMs(), this.#driverLog.counts());
    this.#say({ kind: 'agent', sensor: 'agent', what: 'self-report', detail });
  }

  async #command(command: Command): Promise<Omit<Messages['replies'], 'v'>> {
    const handlers: Record<string, CommandHandler> = {
      'report-now': async () => {
        this.#link.stateChanged();
        return { rows: this.#outbox.use().rows };
      },
    };
    const { reply, ran } = await runCommand(command, handlers, this.#outbox, this.#clock.wallMs());
    this.#io.log.info({ id: command.id, name: command.name, ok: reply.ok, ran, error: reply.error }, 'command');
    if (ran)
      this.#say({
        kind: 'agent',
        sensor: 'agent',
        what: 'command',
        detail: { id: command.id, name: command.name, ok: reply.ok },
      });
    return reply;
  }

  async #checkFile(): Promise<void> {
    const verdict = await checkBeside(this.#path, this.#stopping.signal);
    if (verdict === 'ok' || verdict === null) return;
    this.#fail(new StoreError(`${this.#path}: ${verdict}`));
  }
}
