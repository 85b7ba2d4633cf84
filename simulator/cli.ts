import { Command } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { runCommandLine } from '../protocol/host/command-line.ts';
import { demoCommand } from './commands/demo.ts';
import { fleetCommand } from './commands/fleet.ts';
import type { SimulatorHost } from './commands/host.ts';
import { stationCommands } from './commands/station.ts';
import { verifyCommand } from './commands/verify.ts';

/** The simulator's command line. @returns the exit code */
export function runSimulator(argv: readonly string[], host: SimulatorHost): Promise<number> {
  const program = new Command('simulator')
    .description(
      'Stations without hardware: boards on real bytes, devices on real MQTT, fleets, and the truth to hold a cloud against',
    )
    .version(manifest.version);
  stationCommands(program, host);
  fleetCommand(program, host);
  demoCommand(program, host);
  verifyCommand(program, host);
  return runCommandLine(program, argv, host);
}
