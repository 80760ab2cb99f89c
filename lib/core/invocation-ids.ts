import { randomFillSync } from 'node:crypto';
import type { InvocationId } from './ids.js';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
let lastMs = 0;
let counter = 0;

/**
 * A new invocation id: 9 characters of time (ms), 4 of a per-process sequence, 8 of chance, in an
 * alphabet whose byte order is its value order. Ids of one process sort strictly by creation.
 */
export function newInvocationId(nowMs: number): InvocationId {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = 0;
  } else if (++counter >= 32 ** 4) {
    lastMs += 1;
    counter = 0;
  }
  let tail = '';
  for (const byte of chance(8)) tail += ALPHABET[byte & 31];
  return `${digits(lastMs, 9)}${digits(counter, 4)}${tail}` as InvocationId;
}

/** The creation time that an invocation id carries, ms since the epoch; undefined if it is not such an id. */
export function timeOfInvocationId(id: string): number | undefined {
  if (!/^[0-9a-hjkmnp-tv-z]{21}$/.test(id)) return undefined;
  let value = 0;
  for (const letter of id.slice(0, 9)) value = value * 32 + ALPHABET.indexOf(letter);
  return value;
}

const pool = Buffer.alloc(1024);
let unused = 0;

/** Random bytes; asking the system for a thousand costs as much as for eight. */
function chance(count: number): Uint8Array {
  if (unused < count) {
    randomFillSync(pool);
    unused = pool.length;
  }
  unused -= count;
  return pool.subarray(unused, unused + count);
}

function digits(value: number, width: number): string {
  let text = '';
  for (let rest = value, i = 0; i < width; i++, rest = Math.floor(rest / 32))
    text = ALPHABET.charAt(rest % 32) + text;
  return text;
}
