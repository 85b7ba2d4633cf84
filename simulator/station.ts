import type { Clock } from '../protocol/host/clock.ts';
import { BoardRunner } from './board/board-runner.ts';
import { type ByteSink, openPtySink, openTcpSink } from './board/byte-sink.ts';
import { seededRandom } from './core/random.ts';
import { startLocalDevices } from './devices/local-devices.ts';
import type { WireFaults } from './faults/wire-faults.ts';
import { LedgerWriter } from './ledger/ledger.ts';

export type SimulatedStationConfig = {
  station: string;
  seed: number;
  speed: number;
  visitsPerDay: number;
  boardPorts: number;
  faults: WireFaults;
  ledgerDir: string;
  settleMs: number;
  /** Where the board's wire is: a TCP port of this machine (0 for any), or the path of a PTY. */
  wire: { kind: 'tcp'; host: string; port: number } | { kind: 'pty'; link: string };
  /** The local broker with its Zigbee and Tasmota devices; null for a station with a board alone. */
  localBrokerPort: number | null;
};

export interface SimulatedStation extends AsyncDisposable {
  readonly board: BoardRunner;
  readonly boardAddress: string;
  /** Null without local devices. */
  readonly localBroker: string | null;
}

/** One whole station without hardware: a board on real bytes and, if wanted, devices on real MQTT. */
export async function simulateStation(config: SimulatedStationConfig, clock: Clock): Promise<SimulatedStation> {
  await using opened = new AsyncDisposableStack();
  const { station, seed, speed, visitsPerDay, boardPorts, faults, settleMs, wire } = config;
  const ledger = new LedgerWriter(config.ledgerDir, station);
  ledger.add({ kind: 'begin', at: clock.wallMs(), seed, speed });
  ledger.flush();
  const sink: ByteSink = opened.use(
    wire.kind === 'tcp' ? await openTcpSink(wire.host, wire.port) : await openPtySink(wire.link),
  );
  const plugs = config.localBrokerPort === null ? 0 : 2;
  const runner = {
    board: 'SIM1',
    world: { visitsPerDay, ports: boardPorts + plugs },
    boardPorts,
    speed,
    faults,
    settleMs,
  };
  const board = new BoardRunner(runner, seededRandom(seed).fork(station), sink, ledger, clock);
  opened.defer(() => board.stop());
  const devices =
    config.localBrokerPort === null
      ? null
      : opened.use(
          await startLocalDevices(
            { port: config.localBrokerPort, zigbeePort: boardPorts, tasmotaPort: boardPorts + 1 },
            () => board.sensed(),
            ledger,
            clock,
          ),
        );
  const held = opened.move();
  return {
    board,
    boardAddress: sink.address,
    localBroker: devices?.url ?? null,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
