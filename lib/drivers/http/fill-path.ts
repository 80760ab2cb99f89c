import { FsError } from '../../core/index.js';
import type { Placeholder, Template } from '../../manifest/index.js';
import { entriesOf, lacks, type CallValues } from './call-values.js';
import { percentEncoded } from './percent-encode.js';

/**
 * Path and query of a URL template with the values of a call, each percent-encoded and never empty, so that none
 * adds, removes or leaves a segment of the path.
 * @throws FsError EINVAL
 */
export function fillPath(template: Template, values: CallValues): string {
  let path = '';
  let isInQuery = false;
  const bounds: { readonly start: number; readonly end: number; readonly of: Placeholder }[] = [];
  for (const part of template) {
    if (typeof part === 'string') {
      path += part;
      isInQuery ||= part.includes('?');
      continue;
    }
    const start = path.length;
    path += expansionOf(part, values, isInQuery);
    if (!isInQuery) bounds.push({ start, end: path.length, of: part });
  }
  const [whole = ''] = path.split('?');
  for (const { start, end, of } of bounds) requireSegment(whole, start, end, of);
  return path;
}

/** RFC 6570: a list is its values with commas between, an object its names and values. */
function expansionOf(placeholder: Placeholder, values: CallValues, isInQuery: boolean): string {
  const found = values.valueOf(placeholder);
  if (found === undefined || found.value === null) throw lacks(placeholder);
  const { value, json } = found;
  const entries = entriesOf(value);
  const isList = Array.isArray(value);
  const texts =
    entries === undefined
      ? [typeof value === 'string' ? value : json]
      : entries.flatMap(([name, text]) => (isList ? [text] : [name, text]));
  const text = texts.map(percentEncoded).join(',');
  if (text === '' && !isInQuery)
    throw new FsError('EINVAL', `${fieldOf(placeholder)} is empty, and would name another path.`, {
      hint: 'Send a value that is not empty.',
    });
  return text;
}

/** The segment that a value is part of must not be `.` or `..`, which servers take for other directories. */
function requireSegment(path: string, start: number, end: number, of: Placeholder): void {
  const from = path.lastIndexOf('/', start - 1) + 1;
  const next = path.indexOf('/', end);
  const segment = path.slice(from, next === -1 ? path.length : next).replace(/%2e/gi, '.');
  if (segment !== '.' && segment !== '..') return;
  throw new FsError(
    'EINVAL',
    `${fieldOf(of)} makes the segment "${segment}" of the path, which leads elsewhere.`,
    {
      hint: 'Send another value.',
    },
  );
}

const fieldOf = ({ path, text }: Placeholder): string =>
  path.length === 0 ? text : JSON.stringify(path.join('.'));
