import { FsError, isId, parseExactly, traceparentFrom, type JsonObject } from '../../core/index.js';
import { requestDigest } from '../../manifest/index.js';
import type { Awaitable } from '../../vfs/index.js';
import { ObjectScanner, type ScannedObject } from './object-scanner.js';

/** A request that may run: checked as a whole, its `_key` taken out. */
export interface Request {
  /** The exact bytes for the driver. */
  readonly bytes: Buffer;
  readonly key: { readonly key: string; readonly digest: string } | null;
  /** What it says caused it, as its `_traceparent`; null where it says nothing that is one. */
  readonly traceparent: string | null;
}

/**
 * Says what is wrong with a request's content, which came as `bytes`, or null; `input` is the same, parsed, or null
 * where that takes too long for this thread.
 */
export type InputCheck = (bytes: Uint8Array, input: JsonObject | null) => Awaitable<FsError | null>;

/** What is parsed on this thread takes a few milliseconds. */
const MAX_PARSED_BYTES = 1024 * 1024;
const MAX_PARSED_PARTS = 10_000;

/**
 * At once, unless it takes too long for that. A request without a key has the one that is `named`.
 * @throws FsError EINVAL when the object has a bad `_key`, or another than `named`, or fails the service's schema.
 */
export function requestFrom(
  scanned: ScannedObject,
  check: InputCheck,
  named: string | null = null,
): Awaitable<Request> {
  const { bytes: whole, key } =
    scanned.keyMember === null
      ? { bytes: scanned.bytes, key: named }
      : cutKey(scanned.bytes, scanned.keyMember);
  const { bytes, traceparent } = scanned.hasTraceparent
    ? cutTraceparent(whole)
    : { bytes: whole, traceparent: null };
  if (named !== null && key !== named)
    throw new FsError('EINVAL', `The "_key" of the request is not the name of its file, ${named}.`, {
      hint: 'Leave "_key" out: the name is the key.',
    });
  const isQuick = bytes.length <= MAX_PARSED_BYTES && scanned.parts <= MAX_PARSED_PARTS;
  const parse = scanned.hasLongNumbers ? parseExactly : JSON.parse;
  const input = isQuick ? (parse(bytes.toString()) as JsonObject) : null;
  const fault = check(bytes, input);
  return fault instanceof Promise ? fault.then(checked) : checked(fault);

  function checked(found: FsError | null): Awaitable<Request> {
    if (found !== null) throw found;
    if (key === null) return { bytes, key, traceparent };
    const digest = requestDigest(bytes, input);
    return typeof digest === 'string'
      ? { bytes, key: { key, digest }, traceparent }
      : digest.then((later) => ({ bytes, key: { key, digest: later }, traceparent }));
  }
}

/** What is no traceparent is passed over, as W3C says: how calls are traced makes none of them fail. */
function cutTraceparent(whole: Buffer): { bytes: Buffer; traceparent: string | null } {
  const member = new ObjectScanner('_traceparent').push(whole)[0]?.keyMember;
  if (member == null) return { bytes: whole, traceparent: null };
  const { bytes, object } = cut(whole, member);
  return { bytes, traceparent: traceparentFrom(object['_traceparent']) };
}

/** What is parsed is the member alone: it stands between commas or at either end. */
function cut(whole: Buffer, member: { from: number; to: number }): { bytes: Buffer; object: JsonObject } {
  const text = whole.toString('utf8', member.from, member.to).replace(/^[\s,]+|[\s,]+$/g, '');
  return {
    bytes: Buffer.concat([whole.subarray(0, member.from), whole.subarray(member.to)]),
    object: JSON.parse(`{${text}}`) as JsonObject,
  };
}

function cutKey(whole: Buffer, member: { from: number; to: number }): { bytes: Buffer; key: string } {
  const {
    bytes,
    object: { _key: key },
  } = cut(whole, member);
  if (!isId(key)) {
    throw new FsError('EINVAL', 'The "_key" of the request is not a valid key.', {
      hint: 'A key is 1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..").',
    });
  }
  return { bytes, key };
}
