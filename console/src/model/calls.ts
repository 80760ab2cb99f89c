import type { ControlLink, Event } from '../wire/control.js';
import { Store } from './store.js';

/** How calls of a service ended within the last minute. */
export interface Calls {
  readonly perMinute: number;
  readonly failed: number;
}

const WINDOW_MS = 60_000;

interface Ended {
  readonly key: string;
  readonly atMs: number;
  readonly isFailure: boolean;
}

/** Counts what the watch says of calls that ended: those that this session may know of. */
export class RecentCalls {
  /** By `node/service`. */
  readonly counts = new Store<ReadonlyMap<string, Calls>>(new Map());
  readonly #ended: Ended[] = [];
  #isCounting = false;

  constructor(link: ControlLink) {
    link.watch({ reset: () => undefined, event: (event) => this.#event(event) });
  }

  #event({ kind, node_id, details }: Event): void {
    if (kind !== 'invocation_finished' || node_id === null) return;
    const { service_id, state } = details as { service_id: string; state: string };
    this.#ended.push({
      key: `${node_id}/${service_id}`,
      atMs: Date.now(),
      isFailure: state === 'error' || state === 'timeout',
    });
    if (this.#isCounting) return;
    this.#isCounting = true;
    setTimeout(() => this.#count(), 200);
  }

  #count(): void {
    const since = Date.now() - WINDOW_MS;
    const old = this.#ended.findIndex(({ atMs }) => atMs >= since);
    this.#ended.splice(0, old < 0 ? this.#ended.length : old);
    const counts = new Map<string, Calls>();
    for (const { key, isFailure } of this.#ended) {
      const { perMinute, failed } = counts.get(key) ?? { perMinute: 0, failed: 0 };
      counts.set(key, { perMinute: perMinute + 1, failed: failed + (isFailure ? 1 : 0) });
    }
    this.counts.set(counts);
    // The window moves on as long as something is in it.
    this.#isCounting = this.#ended.length > 0;
    if (this.#isCounting) setTimeout(() => this.#count(), 5_000);
  }
}
