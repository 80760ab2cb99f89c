import { Emitter, type Clock, type Log } from '../../core/index.js';

/** Told to all who keep connections here. */
export interface GoingAway {
  readonly reason: string;
  /** Who goes elsewhere does so within this time, at a moment of its own. */
  readonly withinMs: number;
  /** The end waits for this, for a while. */
  readonly waitFor: (closed: Promise<unknown>) => void;
}

export const DEFAULT_DRAIN_MS = 10_000;
/** Over so long those spread who go elsewhere: at least, with each connection, and at most. */
const LEAST_WITHIN_MS = 150;
const WITHIN_MS_OF_EACH = 1;
const MOST_WITHIN_MS = 2_000;

/**
 * The time between the word that this control plane stops and its end: it takes no new connections, serves those that it
 * has, and waits until their clients have gone elsewhere and what was under way is answered.
 */
export class Drain {
  readonly begun = new Emitter<GoingAway>();
  readonly #clock: Clock;
  readonly #log: Log;
  #reason: string | null = null;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Why nothing new is taken; null while it is. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Answers when nobody needs this control plane any longer, or after `mostMs`. */
  async run(reason: string, connections: number, mostMs = DEFAULT_DRAIN_MS): Promise<void> {
    if (this.#reason !== null) return;
    this.#reason = reason;
    const withinMs = Math.min(MOST_WITHIN_MS, LEAST_WITHIN_MS + connections * WITHIN_MS_OF_EACH);
    const waits: Promise<unknown>[] = [];
    this.begun.emit({ reason, withinMs, waitFor: (closed) => waits.push(closed) });
    let stop: (() => void) | undefined;
    const isLate = await Promise.race([
      allOf(waits).then(() => false),
      new Promise<boolean>((resolve) => (stop = this.#clock.after(mostMs, () => resolve(true)))),
    ]);
    stop?.();
    if (isLate) this.#log.warn('Not all clients had gone elsewhere when it stopped.', { waited_ms: mostMs });
  }
}

/** Of those too that are added while others are waited for. */
async function allOf(waits: readonly Promise<unknown>[]): Promise<void> {
  for (const wait of waits) await wait;
}
