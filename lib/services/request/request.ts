import { FsError, isId, parseExactly, type JsonObject } from '../../core/index.js';
import { requestDigest } from '../../manifest/index.js';
import type { Awaitable } from '../../vfs/index.js';
import type { ScannedObject } from './object-scanner.js';

/** A request that may run: checked as a whole, its `_key` taken out. */
export interface Request {
  /** The exact bytes for the driver. */
  readonly bytes: Buffer;
  readonly key: { readonly key: string; readonly digest: string } | null;
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
  const { bytes, key } =
    scanned.keyMember === null
      ? { bytes: scanned.bytes, key: named }
      : cutKey(scanned.bytes, scanned.keyMember);
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
    if (key === null) return { bytes, key };
    const digest = requestDigest(bytes, input);
    return typeof digest === 'string'
      ? { bytes, key: { key, digest } }
      : digest.then((later) => ({ bytes, key: { key, digest: later } }));
  }
}

/** What is parsed is the member alone: it stands between commas or at either end. */
function cutKey(whole: Buffer, member: { from: number; to: number }): { bytes: Buffer; key: string } {
  const text = whole.toString('utf8', member.from, member.to).replace(/^[\s,]+|[\s,]+$/g, '');
  const { _key: key } = JSON.parse(`{${text}}`) as { _key?: unknown };
  if (!isId(key)) {
    throw new FsError('EINVAL', 'The "_key" of the request is not a valid key.', {
      hint: 'A key is 1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..").',
    });
  }
  return { bytes: Buffer.concat([whole.subarray(0, member.from), whole.subarray(member.to)]), key };
}
