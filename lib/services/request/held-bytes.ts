import { FsError } from '../../core/index.js';

/** What the descriptors of one principal may keep of requests that are not complete, and of replies. */
export const MAX_HELD_BYTES = 128 * 1024 * 1024;

const held = new Map<string, number>();

/** What one descriptor keeps in memory, counted with all others of its principal in this process. */
export class HeldBytes {
  readonly #principal: string;
  #bytes = 0;

  constructor(principal: string) {
    this.#principal = principal;
  }

  /** @throws FsError EBUSY where there is no room for so many more */
  require(bytes: number): void {
    if ((held.get(this.#principal) ?? 0) + bytes <= MAX_HELD_BYTES) return;
    throw new FsError('EBUSY', 'Too much of your requests and replies is held in open descriptors.', {
      hint: 'Complete or close some of those that you have open, then write again.',
    });
  }

  /** It keeps so many from now on. */
  set(bytes: number): void {
    const all = (held.get(this.#principal) ?? 0) + bytes - this.#bytes;
    this.#bytes = bytes;
    if (all > 0) held.set(this.#principal, all);
    else held.delete(this.#principal);
  }
}
