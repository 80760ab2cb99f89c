import { FsError, type Clock } from '../../core/index.js';
import type { ConsoleAsker } from '../store/console-sessions.js';
import { hashFromSecret, newSecret } from '../store/secrets.js';

const GOOD_FOR_MS = 60_000;
/** Of one token, at a time. */
const MAX_OF_A_TOKEN = 64;
const MAX_LINKS = 4096;

interface Link {
  readonly asker: ConsoleAsker;
  readonly expiresAtMs: number;
}

/** Codes that open a console: each once, within a minute. Kept in memory alone, by their hashes. */
export class ConsoleLinks {
  readonly #clock: Clock;
  readonly #links = new Map<string, Link>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws FsError EBUSY where too many wait to be used */
  create(asker: ConsoleAsker): { readonly code: string; readonly expiresAtMs: number } {
    this.#forgetOld();
    const own = [...this.#links.values()].filter((link) => link.asker.tokenId === asker.tokenId);
    if (own.length >= MAX_OF_A_TOKEN || this.#links.size >= MAX_LINKS)
      throw new FsError('EBUSY', 'Too many links to the console wait to be opened.', {
        hint: 'Open one of them, or wait for a minute.',
      });
    const code = newSecret();
    const expiresAtMs = this.#clock.now() + GOOD_FOR_MS;
    this.#links.set(keyOf(code), { asker, expiresAtMs });
    return { code, expiresAtMs };
  }

  /** Uses the code up; undefined where it is none, was used, or is too old. */
  take(code: string): ConsoleAsker | undefined {
    this.#forgetOld();
    const key = keyOf(code);
    const link = this.#links.get(key);
    this.#links.delete(key);
    return link?.asker;
  }

  /** Who made it first stands first, and all are good for the same time. */
  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [key, { expiresAtMs }] of this.#links) {
      if (expiresAtMs > now) return;
      this.#links.delete(key);
    }
  }
}

/** Looking up a hash gives away nothing of the code by the time that it takes. */
const keyOf = (code: string): string => hashFromSecret(code).toString('base64');
