import type { Clock } from '../../core/index.js';

/** Nodes that may be about to register at the same time: enough to keep the disk and the processor busy. */
const MAX_UNDER_WAY = 64;
/** A node that has been greeted and does not register makes room for another. */
const GIVE_UP_MS = 5_000;

/**
 * Whose turn it is to register. A node that has proved who it is waits here to be greeted, in the order of
 * arrival: thousands that come at once are all connected, and few of them send what they offer at a time, so that neither memory
 * nor patience runs out.
 */
export class Registrations {
  readonly #clock: Clock;
  /** Those whose turn it is, and how not to wait for them any longer. */
  readonly #underWay = new Map<object, () => void>();
  readonly #waiting = new Map<object, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers when it is the turn of `who`; also when it has left meanwhile. */
  enter(who: object): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(who, resolve);
      this.#admit();
    });
  }

  /** It has registered, or is gone. */
  leave(who: object): void {
    this.#waiting.get(who)?.();
    this.#waiting.delete(who);
    this.#underWay.get(who)?.();
    this.#underWay.delete(who);
    this.#admit();
  }

  close(): void {
    for (const stop of this.#underWay.values()) stop();
    this.#underWay.clear();
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }

  #admit(): void {
    for (const [who, resolve] of this.#waiting) {
      if (this.#underWay.size >= MAX_UNDER_WAY) return;
      this.#waiting.delete(who);
      this.#underWay.set(
        who,
        this.#clock.after(GIVE_UP_MS, () => this.leave(who)),
      );
      resolve();
    }
  }
}
