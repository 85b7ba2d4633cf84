import type { z } from 'zod';

/** The configuration is wrong: `issues` says each field, what was expected and what was found. */
export class ConfigError extends Error {
  readonly issues: readonly string[];

  constructor(source: string, issues: readonly string[], options?: ErrorOptions) {
    super(`${source}: ${issues.length === 1 ? '1 problem' : `${issues.length} problems`}`, options);
    this.name = 'ConfigError';
    this.issues = issues;
  }

  /** The lines that a person is shown. */
  get report(): string {
    return [this.message, ...this.issues.map((issue) => `  ${issue}`)].join('\n');
  }
}

const secretNames = /password|secret|token|key$/i;

/**
 * Parses `value` and lists every wrong field with its path, what was expected and what was found.
 *
 * @throws ConfigError
 */
export function parseConfig<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    source,
    parsed.error.issues.flatMap((issue) => issueLines(issue, value, [])),
  );
}

function issueLines(issue: z.core.$ZodIssue, root: unknown, base: readonly PropertyKey[]): string[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${pathText([...path, key])}: not a known field`);
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const closest = issue.errors.reduce((best, branch) => (branch.length < best.length ? branch : best));
    if (closest.length > 0) return closest.flatMap((inner) => issueLines(inner, root, path));
  }
  const found = valueAt(root, path);
  return [`${pathText(path)}: ${expectation(issue)}, found ${foundText(found, path)}`];
}

function expectation(issue: z.core.$ZodIssue): string {
  const text = issue.message
    .replace(/^(Invalid input|Too big|Too small|Invalid string): /, '')
    .replace(/^Invalid discriminator value\. Expected /, 'expected ')
    .replace(/, received .*$/, '');
  return text.startsWith('expected') ? text : `expected: ${text}`;
}

function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(whole file)';
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function foundText(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return 'nothing';
  if (secretNames.test(String(path.at(-1) ?? ''))) return `a ${typeof value} (not shown)`;
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}…` : json;
}
