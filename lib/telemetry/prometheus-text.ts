import type { MetricFamily, MetricLabels } from '../core/index.js';

/** The media type of the text. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Metrics as Prometheus reads them, in its text format 0.0.4. */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map(textOf).join('');
}

function textOf(family: MetricFamily): string {
  const { name, help, type } = family;
  const lines = [`# HELP ${name} ${escaped(help).replaceAll('\\"', '"')}`, `# TYPE ${name} ${type}`];
  if (family.type !== 'histogram')
    for (const { labels, value } of family.samples)
      lines.push(`${name}${labelText(labels)} ${numberText(value)}`);
  else
    for (const { labels, bounds, counts, sum } of family.samples) {
      let total = 0;
      for (const [at, count] of counts.entries()) {
        total += count;
        const le = at < bounds.length ? String(bounds[at]) : '+Inf';
        lines.push(`${name}_bucket${labelText({ ...labels, le })} ${total}`);
      }
      lines.push(
        `${name}_sum${labelText(labels)} ${numberText(sum)}`,
        `${name}_count${labelText(labels)} ${total}`,
      );
    }
  return `${lines.join('\n')}\n`;
}

function labelText(labels: MetricLabels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
