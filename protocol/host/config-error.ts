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
const urlPassword = /\/\/[^/@\s"]*@/g;

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
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => `${pathText(path)}: ${expectation(inner)} as its name`);
  }
  const closest = issue.code === 'invalid_union' ? closestBranch(issue.errors) : undefined;
  if (closest) return closest.flatMap((inner) => issueLines(inner, root, path));
  return [`${pathText(path)}: ${expectation(issue)}, found ${foundText(valueAt(root, path), path)}`];
}

/** Of the branches of a union that the value has the outer shape of, the one with the fewest issues. */
function closestBranch(branches: readonly z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  return branches
    .filter((issues) => issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
    .toSorted((a, b) => a.length - b.length)[0];
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const expectations = new Set(issue.errors.flatMap((branch) => branch.slice(0, 1).map(expectation)));
    return [...expectations].join(' or ').replaceAll(' or expected ', ' or ');
  }
  const text = issue.message
    .replace(/^(Invalid \w+|Too big|Too small): /, '')
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
  if (path.some((part) => secretNames.test(String(part)))) return `a ${typeof value} (not shown)`;
  const text = typeof value === 'number' ? String(value) : jsonText(value).replace(urlPassword, '//…@');
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value, (name, inner) => (secretNames.test(name) ? '(not shown)' : inner));
  } catch {
    return 'an alias inside of what it stands for';
  }
}
