import { writeFileSync } from 'node:fs';
import { ConfigError } from '../../protocol/host/config-error.ts';
import { hashPassword, newPassword } from '../broker/credentials.ts';
import type { StationRecord } from '../core/station.ts';
import type { NewStation } from '../store/store.ts';
import { type StationInput, toRecord } from './input.ts';

export type Login = { id: string; username: string; password: string };

/** An entry for the store, and what its station logs in with: shown once, kept as a hash. */
export type Registered = { station: NewStation; login: Login | null };

export function newStation(input: StationInput): Registered {
  const record = toRecord(input);
  if (record.kind === 'lite') return { station: { record, credential: null }, login: null };
  const password = newPassword();
  return {
    station: { record, credential: hashPassword(password) },
    login: { id: input.id, username: input.id, password },
  };
}

/** A listing that gets sensors needs a password to speak with; any other change leaves the one that it has. */
export function changedStation(input: StationInput, kindBefore: StationRecord['kind'] | undefined): Registered {
  if (kindBefore === 'lite') return newStation(input);
  return { station: { record: toRecord(input), credential: null }, login: null };
}

/** @throws ConfigError where the file exists already: its passwords are nowhere else */
export function writeLogins(file: string, logins: readonly Login[]): void {
  const rows = logins.map(({ id, username, password }) => `${id},${username},${password}\n`);
  try {
    writeFileSync(file, `id,username,password\n${rows.join('')}`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    throw new ConfigError(file, [`cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`], {
      cause,
    });
  }
}
