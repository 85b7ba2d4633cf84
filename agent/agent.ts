import { join } from 'node:path';
import { type Cancel, every } from '../protocol/host/clock.ts';
import { StoreError } from '../protocol/host/sqlite.ts';
import type { Command, Messages } from '../protocol/messages.ts';
import type { StationState } from '../protocol/state.ts';
import { protocolVersion } from '../protocol/version.ts';
import { AgentEvents, type StartReason } from './agent-events.ts';
import type { AgentIo } from './agent-io.ts';
import type { AgentConfig } from './config.ts';
import { liveParts } from './core/live-state.ts';
import { stepStation } from './core/station.ts';
import {
  type StationConfig,
  type StationCore,
  type StationEffect,
  type StationInput,
  stationMemory,
} from './core/station-core.ts';
import { memoryRows } from './core/station-memory.ts';
import { type CommandHandler, runCommand } from './link/commands.ts';
import { Link } from './link/link.ts';
import { DriverLog } from './ops/driver-log.ts';
import { startSchedule } from './ops/schedule.ts';
import { Upkeep } from './ops/upkeep.ts';
import { checkBeside } from './outbox/check.ts';
import type { StoredOutbox } from './outbox/open-outbox.ts';
import type { Outbox } from './outbox/outbox.ts';
import { Writer } from './outbox/writer.ts';
import type { Driver, DriverEvent } from './sensors/driver.ts';
import type { DriversIo } from './sensors/start-drivers.ts';
import { stationInput } from './sensors/station-input.ts';
import { clockSettings, linkSettings, stationSettings, withoutMeasurements, writerSettings } from './settings.ts';
import { TrustedClock } from './trusted-clock.ts';
import { agentVersion } from './version.ts';

const drainMs = 2500;

/** The loop around the cores: one executor an effect, every wait and bound in the configuration. */
export class Agent {
  /** Resolves with the error once the outbox can no longer be trusted: stop, and start again. */
  readonly failed: Promise<unknown>;
  readonly #config: AgentConfig;
  readonly #io: AgentIo;
  readonly #outbox: Outbox;
  readonly #path: string;
  readonly #uncheckedFile: boolean;
  readonly #events: AgentEvents;
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
    this.#events = new AgentEvents(io.log, (body) =>
      this.#writer.push({ body, transition: true }, io.clock.monotonicMs()),
    );
    this.#clock = this.#newClock();
    this.#driverLog = new DriverLog(io.log.child({ component: 'sensors' }), io.clock);
    this.#writer = this.#newWriter(savedRows);
    this.#link = this.#newLink();
  }

  /** Says that the agent started, and lets drivers, timers and jobs run. */
  async begin(why: StartReason): Promise<void> {
    const { recovered } = this.#outbox;
    this.#events.started(this.#outbox.currentEpoch(), why);
    if (recovered) this.#events.recovered(recovered);
    await this.#housekeep();
    await this.#writer.flush();
    const driversIo: DriversIo = {
      clock: this.#io.clock,
      random: this.#io.random,
      openSession: this.#io.openSession,
      openWire: this.#io.openWire,
      emit: (source, event) => this.#hear(source, event),
    };
    this.#drivers = this.#io.startDrivers(this.#config.sensors, driversIo);
    this.#timers = [
      every(this.#io.clock, this.#config.tickS * 1000, () => this.#apply({ type: 'tick', at: this.#clock.moment() })),
      every(this.#io.clock, this.#config.housekeepingS * 1000, () => void this.#housekeep().catch(this.#fail)),
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
    this.#events.stopping(reason);
    await this.#writer.flush();
    const drained = await this.#link.drain(drainMs);
    await this.#close();
    this.#events.stopped(reason, drained);
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

  #newClock(): TrustedClock {
    const { clock, boot, ntpSynchronised } = this.#io;
    return new TrustedClock(clockSettings(this.#config), {
      clock,
      boot,
      outbox: this.#outbox,
      ntpSynchronised: () => ntpSynchronised(this.#config.clock.ntpMarker),
      set: (set) => {
        this.#events.clockSet(set);
        this.#link.stateChanged();
      },
    });
  }

  #newWriter(savedRows: Readonly<Record<string, string>>): Writer {
    return new Writer(writerSettings(this.#config), savedRows, {
      clock: this.#io.clock,
      disk: this.#io.disk,
      outbox: this.#outbox,
      ballastPath: join(this.#config.dataDir, 'outbox.ballast'),
      memory: () => memoryRows(stationMemory(this.#core)),
      committed: (commit) => {
        this.#io.committed(commit);
        this.#link.appended(commit.epoch, commit.last);
      },
      trimmed: (trimmed) => this.#events.trimmed(trimmed),
      conditionChanged: (condition) => {
        this.#events.storage(condition);
        this.#link.stateChanged();
      },
      failed: this.#fail,
    });
  }

  #newLink(): Link {
    return new Link(linkSettings(this.#config, agentVersion), {
      clock: this.#io.clock,
      random: this.#io.random,
      newToken: this.#io.newToken,
      openSession: this.#io.openSession,
      turn: this.#io.turn,
      outbox: this.#outbox,
      log: this.#io.log.child({ component: 'link' }),
      state: (nonce, beat) => this.#state(nonce, beat),
      clockSample: (sample) => this.#clock.hearCloud(sample),
      command: (command) => this.#command(command),
      alarm: (notice) => this.#events.delivery(notice),
      failed: this.#fail,
    });
  }

  #hear(source: string, event: DriverEvent): void {
    this.#driverLog.note(source, event);
    const input = stationInput(source, event, this.#clock.moment());
    if (input) this.#apply(input);
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
    this.#writer.tick();
    await this.#upkeep.look();
    this.#link.clockTrusted(await this.#clock.lookAtSystem());
  }

  #startJobs(): Cancel {
    const { quietHour, maintenance, selfReport, timeZone, lookS } = this.#config.schedule;
    const jobs = [
      { name: 'quiet-hour', cron: quietHour, run: () => this.#apply({ type: 'quiet-hour', at: this.#clock.moment() }) },
      { name: 'maintenance', cron: maintenance, run: () => void this.#maintain().catch(this.#fail) },
      { name: 'self-report', cron: selfReport, run: () => this.#selfReport() },
    ];
    return startSchedule(jobs, { timeZone, lookMs: lookS * 1000 }, this.#io.clock, () => this.#clock.wallMs());
  }

  async #maintain(): Promise<void> {
    await this.#upkeep.maintain(this.#clock.wallMs());
    this.#link.helloAgain();
    this.#events.maintained(this.#outbox.use());
  }

  #selfReport(): void {
    const detail = this.#upkeep.selfReport(this.#clock.wallMs(), this.#driverLog.counts());
    this.#events.selfReport(detail);
  }

  async #command(command: Command): Promise<Omit<Messages['replies'], 'v'>> {
    const handlers: Record<string, CommandHandler> = {
      'report-now': async () => {
        this.#link.stateChanged();
        return { rows: this.#outbox.use().rows };
      },
    };
    const { reply, ran } = await runCommand(command, handlers, this.#outbox, this.#clock.wallMs());
    this.#events.command(command, reply, ran);
    return reply;
  }

  async #checkFile(): Promise<void> {
    const verdict = await checkBeside(this.#path, this.#stopping.signal);
    if (verdict === 'ok' || verdict === null) return;
    this.#fail(new StoreError(`${this.#path}: ${verdict}`));
  }
}
