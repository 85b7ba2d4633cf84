import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { ConfigError } from './config-error.ts';

/**
 * A YAML file as plain data.
 *
 * @throws ConfigError with the line where it is no YAML, or why it cannot be read
 */
export function readYamlFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(path, [`cannot be read: ${reasonOf(cause)}`], { cause });
  }
  try {
    return parse(text);
  } catch (cause) {
    const line = cause instanceof YAMLParseError ? (cause.linePos?.[0].line ?? '?') : '?';
    throw new ConfigError(path, [`line ${line}: not YAML: ${reasonOf(cause).split('\n')[0]}`], { cause });
  }
}

/**
 * The text of a file that a configuration names (a password, a certificate).
 *
 * @param field of the configuration that names it
 * @throws ConfigError
 */
export function readNamedFile(source: string, field: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(source, [`${field}: ${path} cannot be read: ${reasonOf(cause)}`], { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
