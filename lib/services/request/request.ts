import { FsError, isId, type JsonObject } from '../../core/index.js';
import { requestDigest } from '../../manifest/index.js';
import type { Awaitable } from '../../vfs/index.js';
import type { ScannedObject } from './object-scanner.js';

/** A request that may run: checked as a whole, its `_key` taken out. */
export interface Request {
  /** The exact bytes for the driver. */
  readonly bytes: Buffer;
  readonly input: JsonObject;
  readonly key: { readonly key: string; readonly digest: string } | null;
}

/** Says what is wrong with a request's content, which came as `bytes`, or null. */
export type InputCheck = (input: JsonObject, bytes: Uint8Array) => Awaitable<FsError | null>;

/**
 * At once, unless it takes too long for that.
 * @throws FsError EINVAL when the object has a bad `_key` or fails the service's schema.
 */
export function requestFrom(scanned: ScannedObject, check: InputCheck): Awaitable<Request> {
  const { bytes, key } =
    scanned.keyMember === null
      ? { bytes: scanned.bytes, key: null }
      : cutKey(scanned.bytes, scanned.keyMember);
  const input = JSON.parse(bytes.toString()) as JsonObject;
  const fault = check(input, bytes);
  if (fault instanceof Promise) return fault.then((later) => checked(later));
  return checked(fault);

  function checked(found: FsError | null): Awaitable<Request> {
    if (found !== null) throw found;
    if (key === null) return { bytes, input, key };
    const digest = requestDigest(input, bytes);
    return typeof digest === 'string'
      ? { bytes, input, key: { key, digest } }
      : digest.then((later) => ({ bytes, input, key: { key, digest: later } }));
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
