import type { JsonValue } from '../core/index.js';
import { runOnCheckThread } from './check-thread.js';
import type { ServiceDefinition } from './definition.js';
import { compiledInputFrom, inputSchemaOf, tooCostly, type InputFault } from './input-schema.js';
import { digestFrom } from './request-digest.js';
import { runWithin, TookTooLongError } from './run-within.js';

/** Up to which size a value is checked by a cheap schema without a watch on the time. */
const SMALL_BYTES = 1024;
/** How long a check may hold this thread, before it begins anew in one of its own. */
const HERE_MS = 8;
/** Up to which size a digest is reckoned on this thread. */
const SMALL_DIGEST_BYTES = 16 * 1024;

/**
 * Checks a request, which came as `bytes`; null when it passes. Holds the caller's thread for a few
 * milliseconds at most: what takes longer goes on in a thread of its own, for a second, and is refused then.
 * @throws FsError EBUSY while too many of such checks wait
 */
export type RequestCheck = (
  input: unknown,
  bytes: Uint8Array,
) => InputFault | null | Promise<InputFault | null>;

export function requestCheckOf(definition: ServiceDefinition): RequestCheck {
  const schema = inputSchemaOf(definition);
  const { unbounded, isCheap } = compiledInputFrom(schema);
  return (input, bytes) => {
    if (isCheap && bytes.length <= SMALL_BYTES) return unbounded(input);
    try {
      return runWithin(HERE_MS, () => unbounded(input));
    } catch (thrown) {
      if (!(thrown instanceof TookTooLongError)) throw thrown;
    }
    return runOnCheckThread({ schema: schema!, bytes }).then((done) =>
      done === null ? tooCostly() : (done.fault ?? null),
    );
  };
}

/** `digestFrom(input)`, that of a large request made elsewhere. */
export function requestDigest(input: JsonValue, bytes: Uint8Array): string | Promise<string> {
  if (bytes.length <= SMALL_DIGEST_BYTES) return digestFrom(input);
  return runOnCheckThread({ schema: null, bytes }).then((done) => done?.digest ?? digestFrom(input));
}
