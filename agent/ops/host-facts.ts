import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

/** Id of this boot of the machine; random for this process where the system has none. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}

/** Bytes that this process caused to be written to storage, from its start; null where not told. */
export function readBytesWritten(): number | null {
  try {
    const line = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}

/** Whether NTP keeps the system clock: systemd-timesyncd maintains the marker file while it does. */
export function isNtpSynchronised(markerPath: string): boolean {
  return existsSync(markerPath);
}
