import { canonicalExactJson, FsError, type JsonObject } from '../core/index.js';
import { runOnCheckThread } from './check-thread.js';
import type { ServiceDefinition } from './definition.js';
import type { InputFault } from './input-faults.js';
import { compiledInputFrom, inputSchemaOf, tooCostly } from './input-schema.js';
import { digestFrom } from './request-digest.js';
import { runWithin, TookTooLongError } from './run-within.js';

/** Up to which size a value is checked by a cheap schema without a watch on the time. */
const SMALL_BYTES = 1024;
/** How long a check may hold this thread, before it begins anew in one of its own. */
const HERE_MS = 8;
/** Up to which size a digest is reckoned on this thread. */
const SMALL_DIGEST_BYTES = 16 * 1024;

/**
 * Checks a request, which came as `bytes`; `input` is the same, parsed, or null where that takes too long here.
 * Answers null when it passes, else all that is wrong with it, or the first thing where looking for more takes too
 * long. Holds the caller's thread for a few milliseconds at most: what takes longer goes on in a thread of its own,
 * for a second, and is refused then.
 * @throws FsError EBUSY while too many of such checks wait
 */
export type RequestCheck = (
  bytes: Uint8Array,
  input: JsonObject | null,
) => readonly InputFault[] | null | Promise<readonly InputFault[] | null>;

export function requestCheckOf(definition: ServiceDefinition): RequestCheck {
  const schema = inputSchemaOf(definition);
  const { passesPlainly, prepare, unbounded, allOf, isCheap } = compiledInputFrom(schema);
  let schemaText: string | undefined;
  return (bytes, input) => {
    if (schema === undefined) return null;
    const isSmall = isCheap && bytes.length <= SMALL_BYTES;
    const resultOf = (fault: InputFault | null): readonly InputFault[] | null => {
      if (fault === null) return null;
      return input === null ? [fault] : allOf(input, fault, isSmall ? null : HERE_MS);
    };
    const here = <Result>(work: () => Result): Result => (isSmall ? work() : runWithin(HERE_MS, work));
    try {
      if (input !== null) {
        if (passesPlainly !== undefined && here(() => passesPlainly(input))) return null;
        prepare(input);
        return resultOf(here(() => unbounded(input)));
      }
    } catch (thrown) {
      if (!(thrown instanceof TookTooLongError)) throw thrown;
    }
    schemaText ??= canonicalExactJson(schema, false);
    return runOnCheckThread({ schema: schemaText, bytes }).then((done) =>
      done === null ? [tooCostly()] : resultOf(done.fault ?? null),
    );
  };
}

/**
 * The digest of a request, which came as `bytes`; that of a large one made elsewhere.
 * @throws FsError EBUSY while too many wait for theirs, EFBIG for what has none in the time and memory there is
 */
export function requestDigest(bytes: Uint8Array, input: JsonObject | null): string | Promise<string> {
  if (input !== null && bytes.length <= SMALL_DIGEST_BYTES) return digestFrom(input);
  return runOnCheckThread({ schema: null, bytes }).then((done) => {
    if (done?.digest !== undefined) return done.digest;
    throw new FsError('EFBIG', 'The request is too large to be known again by its "_key".', {
      hint: 'Leave "_key" out, or give large data as a file and name its path in the request.',
    });
  });
}
