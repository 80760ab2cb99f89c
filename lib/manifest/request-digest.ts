import { createHash } from 'node:crypto';
import { canonicalExactJson, canonicalJson, isInexact, type JsonValue } from '../core/index.js';

/** What is kept of a request to know it again: a hash that neither blanks nor the order of members change. */
export function digestFrom(input: JsonValue): string {
  const text = isInexact(input) ? canonicalExactJson(input) : canonicalJson(input);
  return createHash('sha256').update(text).digest('hex');
}
