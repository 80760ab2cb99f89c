import { createHash } from 'node:crypto';
import { FsError, canonicalJson, isId, type JsonObject } from '../../core/index.js';
import type { ScannedObject } from './object-scanner.js';

/** A request that may run: checked as a whole, its `_key` taken out. */
export interface Request {
  /** The exact bytes for the driver. */
  readonly bytes: Buffer;
  readonly input: JsonObject;
  readonly key: { readonly key: string; readonly digest: string } | null;
}

/** Says what is wrong with a request's content, or null. */
export type InputCheck = (input: JsonObject) => FsError | null;

/** @throws FsError EINVAL when the object has a bad `_key` or fails the service's schema. */
export function requestFrom(scanned: ScannedObject, check: InputCheck): Request {
  const { bytes, key } =
    scanned.keyMember === null
      ? { bytes: scanned.bytes, key: null }
      : cutKey(scanned.bytes, scanned.keyMember);
  const input = JSON.parse(bytes.toString()) as JsonObject;
  const fault = check(input);
  if (fault !== null) throw fault;
  return {
    bytes,
    input,
    key:
      key === null ? null : { key, digest: createHash('sha256').update(canonicalJson(input)).digest('hex') },
  };
}

function cutKey(whole: Buffer, member: { from: number; to: number }): { bytes: Buffer; key: string } {
  const { _key: key } = JSON.parse(whole.toString()) as { _key?: unknown };
  if (!isId(key)) {
    throw new FsError('EINVAL', 'The "_key" of the request is not a valid key.', {
      hint: 'A key is 1 to 128 of the characters A-Z a-z 0-9 . _ - (not "." or "..").',
    });
  }
  return { bytes: Buffer.concat([whole.subarray(0, member.from), whole.subarray(member.to)]), key };
}
