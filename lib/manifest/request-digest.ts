import { createHash } from 'node:crypto';
import { canonicalJson, type JsonValue } from '../core/index.js';

/** What is kept of a request to know it again: a hash that neither blanks nor the order of members change. */
export function digestFrom(input: JsonValue): string {
  return createHash('sha256').update(canonicalJson(input)).digest('hex');
}
