/** One metric of a Prometheus page: its samples by name and labels. */
export type Metric = { type: string; help: string; samples: Map<string, number> };

// prom-client writes Nan, and Prometheus reads it: Go's ParseFloat does not mind the case.
const name = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const sampleLine = new RegExp(
  `^(${name})(\\{${label}(?:,${label})*\\})? (N[Aa][Nn]|[+-]Inf|[-+]?[0-9.]+(?:e[-+]?[0-9]+)?)( -?[0-9]+)?$`,
);
const kinds = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const suffixes: Readonly<Record<string, string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/**
 * Reads the Prometheus text format 0.0.4 and holds it against its rules and the naming rules that
 * promtool checks.
 *
 * @throws Error with the first line that breaks one
 */
export function parsePrometheus(text: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  const refuse = (line: string, why: string): never => {
    throw new Error(`${why}: ${line}`);
  };
  if (!text.endsWith('\n')) refuse(text.slice(-40), 'the last line has no end');
  let current: [string, Metric] | null = null;
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, word, of = '', rest = ''] = new RegExp(`^# (HELP|TYPE) (${name}) ?(.*)$`).exec(line) ?? [];
    if (word === 'HELP') {
      if (metrics.has(of)) refuse(line, 'said twice');
      current = [of, { type: '', help: rest, samples: new Map() }];
      metrics.set(...current);
    } else if (word === 'TYPE') {
      if (current?.[0] !== of || current[1].type !== '') refuse(line, 'not behind its HELP');
      if (!kinds.includes(rest)) refuse(line, 'no such type');
      if (current) current[1].type = rest;
    } else {
      const [, of = '', labels = '', value] = sampleLine.exec(line) ?? refuse(line, 'not a sample');
      const [family, metric] = current ?? refuse(line, 'before any metric');
      if (!(suffixes[metric.type] ?? ['']).some((suffix) => of === family + suffix)) refuse(line, `not of ${family}`);
      if (metric.samples.has(of + labels)) refuse(line, 'said twice');
      metric.samples.set(of + labels, Number(value?.replace('Inf', 'Infinity')));
    }
  }
  for (const [of, { type, help }] of metrics) {
    if (help.trim() === '') refuse(of, 'no help');
    if ((type === 'counter') !== of.endsWith('_total')) refuse(of, 'counters, and they alone, end in _total');
    if (/_(ms|milliseconds|minutes|kb|mb|kilobytes|percent)(_|$)/.test(of)) refuse(of, 'not in a base unit');
  }
  return metrics;
}
