import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../protocol/host/clock.ts';
import { CommandError } from '../../protocol/host/command-line.ts';
import { type VerifyResult, verify } from '../verify/verify.ts';
import type { SimulatorHost } from './host.ts';
import { between } from './options.ts';

type VerifyCliOptions = { ledger: string; data: string; early: number; late: number; wait: number; json?: true };

/** `verify`: the cloud's store against the truth. */
export function verifyCommand(program: Command, host: SimulatorHost): void {
  program
    .command('verify')
    .description(
      "hold a cloud's store against the ledgers of a simulation; exit code 1 where anything is lost or doubled",
    )
    .option('--ledger <dir>', 'ledgers of the simulation', 'yizhan-ledger')
    .option('--data <dir>', "the cloud's data directory", 'yizhan-cloud')
    .option('--early <seconds>', 'a visit may be told this long before it happened', between('--early', 0, 1e6), 1)
    .option('--late <seconds>', 'and this long after', between('--late', 0, 1e9), 10)
    .option('--wait <seconds>', 'how long the cloud may take to have everything', between('--wait', 0, 1e6), 0)
    .option('--json', 'one JSON object on stdout')
    .action((options: VerifyCliOptions) => runVerify(options, host));
}

async function runVerify(
  { ledger, data, early, late, wait, json }: VerifyCliOptions,
  host: SimulatorHost,
): Promise<void> {
  const result = await verify(
    {
      ledgerDir: resolve(ledger),
      dataDir: resolve(data),
      tolerance: { earlyMs: early * 1000, lateMs: late * 1000 },
      waitMs: wait * 1000,
    },
    systemClock,
  );
  host.print(json ? JSON.stringify(result) : verifyText(result));
  if (!result.ok) throw new CommandError('the cloud differs from the truth');
}

function verifyText({ stations, total }: VerifyResult): string {
  const { lost, doubled, misplaced, altered, phantom, wrongRollups, declaredLost, quarantined, untold, events } = total;
  const amounts = (of: typeof lost): string =>
    `${of.in} visits, ${of.out} leaves, ${of.ml} ml, ${of.mwh} mWh, ${of.presses} presses, ${of.events} events`;
  return [
    `${stations} stations, ${events} events in the cloud`,
    `lost       ${amounts(lost)}`,
    `doubled    ${amounts(doubled)}`,
    `misplaced  ${misplaced} visits`,
    `altered    ${altered}, phantom ${phantom}, quarantined ${quarantined}, rollups that differ ${wrongRollups}`,
    `declared   ${declaredLost} sequences by gap receipts; ${untold} counts that a restarting board never told`,
  ].join('\n');
}
