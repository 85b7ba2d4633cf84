import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { ClockSample } from '../../../agent/core/clock.ts';
import { runCommand } from '../../../agent/link/commands.ts';
import type { DeliveryNotice } from '../../../agent/link/durable-lane.ts';
import { Link, type LinkConfig } from '../../../agent/link/link.ts';
import type { Outbox } from '../../../agent/outbox/outbox.ts';
import { openMqttSession } from '../../../protocol/host/mqtt-session.ts';
import type { OpenSession } from '../../../protocol/host/session.ts';
import type { StationState } from '../../../protocol/state.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type LogLine, memoryLog } from '../../support/log.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait.ts';
import { openIn, setClock, startMs } from '../outbox/rig.ts';

export const station = 'tunxi-laojie';

export const linkConfig: LinkConfig = {
  station,
  url: 'mqtt://127.0.0.1:1',
  username: station,
  password: 'hunter2-of-the-station',
  mqttVersion: '3.1.1',
  keepaliveS: 30,
  ca: undefined,
  reportIntervalMs: 30_000,
  keepAckedMs: 7 * 86_400_000,
  windowBatches: 4,
  noProgressMs: 20_000,
  rehelloMs: 300_000,
  welcomeTimeoutMs: 20_000,
  maxBatchesPerS: Number.POSITIVE_INFINITY,
  helloMaxEpochs: 64,
  backoff: { firstMs: 1000, maxMs: 120_000, stableMs: 30_000 },
  agentVersion: '0.1.0',
  configHash: '9d1f0c3b7a5e4d22',
};

export type LinkRig = {
  link: Link;
  outbox: Outbox;
  clock: FakeClock;
  lines: LogLine[];
  samples: Omit<ClockSample, 'source'>[];
  alarms: DeliveryNotice[];
  failures: unknown[];
  /** Whether the clock is trusted; a sample of the cloud's time makes it so. */
  trusted: { now: boolean };
  /** Commands that ran, by their id. */
  ran: string[];
};

export type LinkOptions = Partial<LinkConfig> & {
  dataDir?: string;
  openSession?: OpenSession;
  /** Events that the outbox has before the link starts. */
  fill?: (outbox: Outbox) => Promise<unknown>;
  /** A station whose clock was never set; else its boot has an anchor. */
  clockless?: boolean;
  random?: () => number;
};

/** A link over a real outbox and a real session, by a clock that stands still; closed with its test. */
export async function startLink(options: LinkOptions): Promise<LinkRig> {
  const { dataDir = tempDir(), openSession = openMqttSession, fill, clockless, random = () => 0, ...config } = options;
  const outbox = await openIn(dataDir);
  if (!clockless) await setClock(outbox);
  await fill?.(outbox);
  const clock = new FakeClock(startMs);
  const { log, lines } = memoryLog();
  const rig = {
    outbox,
    clock,
    lines,
    samples: [] as Omit<ClockSample, 'source'>[],
    alarms: [] as DeliveryNotice[],
    failures: [] as unknown[],
    trusted: { now: !clockless },
    ran: [] as string[],
  };
  let tokens = 0;
  const link = new Link(
    { ...linkConfig, ...config },
    {
      clock,
      random,
      newToken: () => `token-${++tokens}`,
      openSession,
      turn: () => setImmediate(),
      outbox,
      log,
      state: (nonce, beat) => liveState(outbox, nonce, beat),
      async clockSample(sample) {
        rig.samples.push(sample);
        if (!rig.trusted.now) await outbox.anchor({ boot: 'boot-1', source: 'cloud', ...sample });
        rig.trusted.now = true;
        return true;
      },
      async command(command) {
        const handlers = {
          'report-now': async () => {
            rig.ran.push(command.id);
            return { rows: 7 };
          },
        };
        return (await runCommand(command, handlers, outbox, startMs)).reply;
      },
      alarm: (notice) => void rig.alarms.push(notice),
      failed: (error) => void rig.failures.push(error),
    },
  );
  onTestFinished(async () => {
    const closed = link.close();
    await clock.advance(5000);
    await closed;
  });
  return { link, ...rig };
}

/** Waits until the cloud acknowledged everything. */
export const drained = ({ outbox }: Pick<LinkRig, 'outbox'>): Promise<boolean> =>
  waitFor('everything to be acknowledged', () => outbox.positions().every(({ acked, last }) => acked >= last));

function liveState(outbox: Outbox, nonce: string, beat: boolean): StationState {
  return {
    v: 1,
    epoch: outbox.currentEpoch(),
    seq: outbox.positions().at(-1)?.last ?? 0,
    at: null,
    nonce,
    clock: 'unset',
    reportIntervalS: 30,
    ...(beat ? { beat } : {}),
    door: 'unknown',
    people: 'unknown',
    water: [],
    ports: [],
    sensors: {},
    agent: {
      version: '0.1.0',
      uptimeS: 1,
      outboxRows: 0,
      oldestUnackedAt: null,
      diskFreePct: null,
      bytesWrittenToday: null,
    },
  };
}
