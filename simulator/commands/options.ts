import type { Command } from 'commander';
import type { z } from 'zod';
import { CommandError } from '../../protocol/host/command-line.ts';
import { exitCodes } from '../../protocol/host/exit-codes.ts';
import type { UplinkCuts } from '../faults/uplink.ts';
import { noFaults, type WireFaults } from '../faults/wire-faults.ts';

export type FaultOptions = {
  garble: number;
  drop: number;
  unplugEvery: number;
  unplugFor: number;
  restartEvery: number;
};

export function faultOptions(command: Command): Command {
  const share = (name: string): ((text: string) => number) => between(name, 0, 1);
  return command
    .option('--garble <share>', 'share of lines in which a byte is another one', share('--garble'), 0)
    .option('--drop <share>', 'share of lines that never arrive', share('--drop'), 0)
    .option('--unplug-every <seconds>', 'pull the plug this often; 0 never', between('--unplug-every', 0, 1e6), 0)
    .option('--unplug-for <seconds>', 'and leave it out for this long', positive('--unplug-for'), noFaults.unplugForS)
    .option(
      '--restart-every <seconds>',
      'restart the board this often; 0 never',
      between('--restart-every', 0, 1e6),
      0,
    );
}

export type UplinkOptions = { cutUplinkEvery: number; cutUplinkFor: number };

export function uplinkOptions(command: Command, whose: string): Command {
  return command
    .option(
      '--cut-uplink-every <seconds>',
      `${whose} loses its uplink this often; 0 never`,
      between('--cut-uplink-every', 0, 1e6),
      0,
    )
    .option('--cut-uplink-for <seconds>', 'and for this long', positive('--cut-uplink-for'), 10);
}

export function uplinkCuts({ cutUplinkEvery, cutUplinkFor }: UplinkOptions): UplinkCuts {
  return { cutUplinkEveryS: cutUplinkEvery, cutUplinkForS: cutUplinkFor };
}

export function wireFaults({ garble, drop, unplugEvery, unplugFor, restartEvery }: FaultOptions): WireFaults {
  return { garble, drop, unplugEveryS: unplugEvery, unplugForS: unplugFor, restartEveryS: restartEvery };
}

export function positive(name: string): (text: string) => number {
  return between(name, Number.MIN_VALUE, 1e9);
}

export function between(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new CommandError(
      `${name}: expected a number from ${min === Number.MIN_VALUE ? 'above 0' : min} to ${max}, found ${JSON.stringify(text)}`,
      exitCodes.usage,
    );
  };
}

/** An option that a schema checks, refused with what was expected and found. */
export function checked(name: string, schema: z.ZodString): (text: string) => string {
  return (text) => {
    const { data, error } = schema.safeParse(text);
    if (data !== undefined) return data;
    throw new CommandError(`${name}: ${error?.issues[0]?.message}, found ${JSON.stringify(text)}`, exitCodes.usage);
  };
}
