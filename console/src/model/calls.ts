import type { ControlLink, Event } from '../wire/control.js';
import { Store } from './store.js';

/** How calls of a service ended within the last minute. */
export interface Calls {
  readonly perMinute: number;
  readonly failed: number;
}

const WINDOW_MS = 60_000;
/** The minute is counted in steps, so that what is kept does not grow with the calls. */
const STEP_MS = 5_000;
const SHOW_MS = 500;

interface Step {
  readonly beganMs: number;
  readonly calls: Map<string, Calls>;
}

/** The calls of the last minute, by `node/service`. */
export class CallCounts {
  /** Oldest first. */
  #steps: Step[] = [];

  add(key: string, isFailure: boolean, nowMs: number): void {
    let step = this.#steps.at(-1);
    if (step === undefined || nowMs - step.beganMs >= STEP_MS) {
      step = { beganMs: nowMs, calls: new Map() };
      this.#steps.push(step);
      this.#steps = this.#steps.filter(({ beganMs }) => nowMs - beganMs < WINDOW_MS);
    }
    step.calls.set(key, sum(step.calls.get(key), { perMinute: 1, failed: isFailure ? 1 : 0 }));
  }

  at(nowMs: number): ReadonlyMap<string, Calls> {
    this.#steps = this.#steps.filter(({ beganMs }) => nowMs - beganMs < WINDOW_MS);
    const counts = new Map<string, Calls>();
    for (const { calls } of this.#steps)
      for (const [key, more] of calls) counts.set(key, sum(counts.get(key), more));
    return counts;
  }
}

function sum(one: Calls | undefined, other: Calls): Calls {
  if (one === undefined) return other;
  return { perMinute: one.perMinute + other.perMinute, failed: one.failed + other.failed };
}

/** Counts what the watch says of calls that ended: those that this session may know of. */
export class RecentCalls {
  /** By `node/service`. */
  readonly counts = new Store<ReadonlyMap<string, Calls>>(new Map());
  readonly #counted = new CallCounts();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;

  constructor(link: ControlLink) {
    link.watch({ reset: () => undefined, event: (event) => this.#event(event) });
  }

  #event({ kind, node_id, details }: Event): void {
    if (kind !== 'invocation_finished' || node_id === null) return;
    const { service_id, state } = details as { service_id: string; state: string };
    this.#counted.add(`${node_id}/${service_id}`, state === 'error' || state === 'timeout', Date.now());
    this.#showWithin(SHOW_MS);
  }

  #showWithin(ms: number): void {
    const dueMs = Date.now() + ms;
    if (this.#dueMs <= dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show(), ms);
  }

  #show(): void {
    this.#dueMs = Infinity;
    const counts = this.#counted.at(Date.now());
    this.counts.set(counts);
    // The window moves on as long as something is in it.
    if (counts.size > 0) this.#showWithin(STEP_MS);
  }
}
