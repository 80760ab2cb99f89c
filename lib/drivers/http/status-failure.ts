import { FsError, isJsonObject, ownValue } from '../../core/index.js';
import type { ErrnoCode } from '../../linux/index.js';
import { HttpFailure } from './http-failure.js';

/** What an answer that is no success says. */
export interface BadAnswer {
  readonly status: number;
  /** `GET https://host/path`, without a query. */
  readonly request: string;
  readonly host: string;
  /** The start of its body as text, secrets left out. */
  readonly text: string;
  /** `Retry-After`, in ms from now. */
  readonly retryAfterMs: number | null;
  readonly location: string | null;
}

interface Meaning {
  readonly code: ErrnoCode;
  readonly hint: string;
  readonly again?: true;
  readonly ofRequest?: true;
}

const OF_INPUT: Meaning = {
  code: 'EINVAL',
  hint: 'Change the request; SCHEMA.json says what it may hold.',
  ofRequest: true,
};
const DENIED: Meaning = {
  code: 'EACCES',
  hint: 'Check the credential that "auth" of the manifest names, and its rights.',
};
const ABSENT: Meaning = { code: 'ENOENT', hint: 'Check what the request names.', ofRequest: true };
const PUT_OFF: Meaning = { code: 'EBUSY', hint: 'Try again later.', again: true };
const BROKEN: Meaning = { code: 'EIO', hint: 'The fault is at the server; try again later.' };

const MEANINGS = new Map<number, Meaning>([
  [401, DENIED],
  [402, DENIED],
  [403, DENIED],
  [407, DENIED],
  [451, DENIED],
  [404, ABSENT],
  [410, ABSENT],
  [408, { ...PUT_OFF, code: 'ETIMEDOUT' }],
  [425, PUT_OFF],
  [429, PUT_OFF],
  [502, { ...BROKEN, again: true }],
  [503, { ...BROKEN, again: true }],
  [504, { ...BROKEN, again: true }],
]);

/** The failure that a status means. docs/HTTP_SERVICES.md has the table. */
export function statusFailure(answer: BadAnswer): HttpFailure {
  const { status, retryAfterMs } = answer;
  if (status < 400) return redirected(answer);
  const { code, hint, again, ofRequest } = MEANINGS.get(status) ?? (status < 500 ? OF_INPUT : BROKEN);
  const when = again === true && retryAfterMs !== null ? `Try again in ${seconds(retryAfterMs)}.` : hint;
  return new HttpFailure(new FsError(code, sentence(answer), { hint: when }), {
    ofRequest: ofRequest === true,
    againMs: again === true ? (retryAfterMs ?? 0) : null,
  });
}

function redirected({ status, request, location, host }: BadAnswer): HttpFailure {
  const where = location === null ? '' : ` to ${location}`;
  return new HttpFailure(
    new FsError(
      'EIO',
      `${host} answered ${request} by a redirect (${status})${where}, which is not followed.`,
      {
        hint: 'Correct the URL, or set "redirects" in the manifest, and name the other host in "hosts".',
      },
    ),
  );
}

function sentence({ status, request, host, text }: BadAnswer): string {
  const said = wordsOf(text);
  return `${host} answered ${request} with ${status}${said === '' ? '.' : `: ${said}`}`;
}

/** Where servers put the sentence for people (RFC 9457 and custom). */
const WORDS = ['detail', 'message', 'error_description', 'error', 'title', 'msg', 'reason'];
const MAX_WORDS = 300;

function wordsOf(text: string): string {
  const said = fromJson(text) ?? text.replace(/<(script|style)[^]*?<\/\1>|<[^>]*>/gi, ' ');
  // eslint-disable-next-line no-control-regex -- to take them out is the point
  const line = said.replace(/[\s\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS - 1)}…` : line;
}

function fromJson(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // It is no JSON: shown as it is.
    return undefined;
  }
  for (let depth = 0; depth < 3 && isJsonObject(value); depth++) {
    const found: unknown = WORDS.map((name) => ownValue(value as never, name)).find(
      (item) => item !== undefined && item !== null,
    );
    if (typeof found === 'string') return found;
    if (found === undefined) break;
    value = found;
  }
  return undefined;
}

/** `Retry-After` in ms from `nowMs`: seconds, or a date; null where it is neither. */
export function retryAfterFrom(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
