/** What a placeholder takes its value from: the request, the facts of the call, or the config of the service. */
export type PlaceholderSource = 'payload' | 'call' | 'config';

/** `{payload.a.0}`, or `{payload}` for the whole. */
export interface Placeholder {
  readonly source: PlaceholderSource;
  readonly path: readonly string[];
  /** As it was written. */
  readonly text: string;
}

/** Text with placeholders: what stands between them as strings. */
export type Template = readonly (string | Placeholder)[];

const PLACEHOLDER = /\{(payload|call|config)(?:\.([^{}]+))?\}/g;

/** The parts of a text; braces that are no placeholder are ordinary characters. */
export function templateFrom(text: string): Template {
  const parts: (string | Placeholder)[] = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > end) parts.push(text.slice(end, match.index));
    const [written, source, path] = match;
    parts.push({
      source: source as PlaceholderSource,
      path: path === undefined ? [] : path.split('.'),
      text: written,
    });
    end = match.index + written.length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

/** The one placeholder that is all of a template; undefined for every other. */
export function soleOf(template: Template): Placeholder | undefined {
  const [only] = template;
  return template.length === 1 && typeof only === 'object' ? only : undefined;
}

/** The same of a text. */
export function solePlaceholder(text: string): Placeholder | undefined {
  return soleOf(templateFrom(text));
}
