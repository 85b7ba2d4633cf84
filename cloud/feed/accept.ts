/**
 * The weights that an `Accept…` header gives to names, `gzip;q=0.5, *` (RFC 9110 §12.4.2). A name
 * whose weight is no number is not wanted.
 */
export function weightsOf(header: string | undefined): Map<string, number> {
  return new Map(
    (header ?? '').split(',').map((part) => {
      const [name = '', ...parameters] = part.toLowerCase().split(';');
      const q = parameters.map((parameter) => /^\s*q=(.*)$/.exec(parameter)?.[1]).find((value) => value !== undefined);
      return [name.trim(), q === undefined ? 1 : Number(q) || 0];
    }),
  );
}
