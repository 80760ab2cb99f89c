import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../core/index.js';

interface Value {
  readonly value: JsonValue;
  readonly digest: string;
  readonly bytes: number;
  /** How many descriptors say it. */
  uses: number;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** What is no longer than this is not worth an entry. */
const SMALL_CHARS = 16;

/** What descriptors say, up to a limit; what many of them say is kept once. */
export class KeptValues {
  readonly #mostBytes: number;
  readonly #byDigest = new Map<string, Value>();
  readonly #byValue = new Map<JsonValue, Value>();
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The value as it is kept, until it is released as often; undefined where it would be too much. */
  keep(value: JsonValue): JsonValue | undefined {
    const same = this.#byValue.get(value);
    if (same !== undefined) {
      same.uses++;
      return value;
    }
    const text = JSON.stringify(value);
    if (text.length <= SMALL_CHARS) return value;
    const digest = createHash('sha1').update(text).digest('base64');
    const known = this.#byDigest.get(digest);
    if (known !== undefined) {
      known.uses++;
      return known.value;
    }
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#mostBytes) return undefined;
    const kept = { value, digest, bytes, uses: 1 };
    this.#byDigest.set(digest, kept);
    this.#byValue.set(value, kept);
    this.#bytes += bytes;
    return value;
  }

  /** A descriptor made of kept values says them no longer. */
  release(descriptor: JsonObject): void {
    for (const value of Object.values(descriptor)) {
      const kept = this.#byValue.get(value);
      if (kept === undefined || --kept.uses > 0) continue;
      this.#byDigest.delete(kept.digest);
      this.#byValue.delete(value);
      this.#bytes -= kept.bytes;
    }
  }
}
