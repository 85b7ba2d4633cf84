import type { DriverEvent } from '../../../agent/sensors/driver.ts';
import type { LocalMqttDialect } from '../../../agent/sensors/local-mqtt.ts';

/** One message of a gateway, as samples/ keeps it. */
export type Sample = { topic: string; payload: unknown; retained?: boolean };

/** The text that was on the wire. */
export function textOf({ payload }: Sample): string {
  return typeof payload === 'string' ? payload : JSON.stringify(payload);
}

export function parseSample(dialect: LocalMqttDialect, sample: Sample): DriverEvent[] {
  return dialect.parse(sample.topic, textOf(sample), sample.retained ?? false);
}
