import type { Log, Unsubscribe } from '../../core/index.js';
import type { ControlStore } from '../store/store.js';

/** Whose rights changed: some sessions', or perhaps everybody's (a project, the nodes it names). */
export type AccessChange = { readonly sessionIds: readonly string[] } | 'all';

/**
 * Notifies the servers of files of each change of rights, and waits for them: the change is not
 * answered before nobody is shown anything older.
 */
export class AccessChanges {
  readonly #listeners = new Set<(change: AccessChange) => void | Promise<void>>();
  /** What is waited for, with the count of the last change that is in it. */
  readonly #pending = new Map<Promise<unknown>, number>();
  /** What has changed in this turn of the event loop: it is reported at its end, as one. */
  #gathered: { change: AccessChange; readonly reported: Promise<unknown> } | undefined;
  readonly #log: Log;
  #count = 0;

  constructor(store: ControlStore, log: Log) {
    this.#log = log;
    store.projects.changed.on(() => this.#emit('all'));
    store.sessions.changed.on((sessionId) => this.#emit({ sessionIds: [sessionId] }));
  }

  /** A promise that the listener returns holds back the answer to the change. */
  on(listener: (change: AccessChange) => void | Promise<void>): Unsubscribe {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A point in time for `since`. */
  get mark(): number {
    return this.#count;
  }

  /** What to wait for of all that changed since `mark`; undefined for nothing. */
  since(mark: number): Promise<unknown> | undefined {
    const waited = [...this.#pending].filter(([, count]) => count > mark).map(([promise]) => promise);
    return waited.length === 0 ? undefined : Promise.all(waited);
  }

  #emit(change: AccessChange): void {
    const gathered = (this.#gathered ??= {
      change,
      reported: Promise.resolve().then(() => this.#notifyAll()),
    });
    gathered.change = both(gathered.change, change);
    this.#pending.set(gathered.reported, ++this.#count);
  }

  async #notifyAll(): Promise<void> {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    const { change, reported } = gathered;
    this.#gathered = undefined;
    await Promise.all([...this.#listeners].map((listener) => this.#notify(listener, change)));
    this.#pending.delete(reported);
  }

  async #notify(
    listener: (change: AccessChange) => void | Promise<void>,
    change: AccessChange,
  ): Promise<void> {
    try {
      await listener(change);
    } catch (thrown) {
      this.#log.error('a change of rights could not be passed on', { error: thrown });
    }
  }
}

function both(one: AccessChange, other: AccessChange): AccessChange {
  if (one === 'all' || other === 'all') return 'all';
  return { sessionIds: [...new Set([...one.sessionIds, ...other.sessionIds])] };
}
