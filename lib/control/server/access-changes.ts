import type { Log, Unsubscribe } from '../../core/index.js';
import type { ControlStore } from '../store/store.js';

/** Whose rights changed: some sessions', or perhaps everybody's (a project, the nodes it names). */
export type AccessChange = { readonly sessionIds: readonly string[] } | 'all';

/**
 * Tells those who serve files of each change of rights, and waits for them: who made the change is not
 * answered before nobody is shown anything older.
 */
export class AccessChanges {
  readonly #listeners = new Set<(change: AccessChange) => void | Promise<void>>();
  readonly #pending = new Map<number, Promise<void>>();
  readonly #log: Log;
  #count = 0;

  constructor(store: ControlStore, log: Log) {
    this.#log = log;
    store.projects.changed.on(() => this.#emit('all'));
    store.sessions.changed.on((sessionId) => this.#emit({ sessionIds: [sessionId] }));
  }

  /** A promise that the listener returns holds back the answer to whoever made the change. */
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
    const waited = [...this.#pending].filter(([count]) => count > mark).map(([, promise]) => promise);
    return waited.length === 0 ? undefined : Promise.all(waited);
  }

  #emit(change: AccessChange): void {
    for (const listener of this.#listeners) {
      const count = ++this.#count;
      const told = this.#tell(listener, change).finally(() => this.#pending.delete(count));
      this.#pending.set(count, told);
    }
  }

  async #tell(listener: (change: AccessChange) => void | Promise<void>, change: AccessChange): Promise<void> {
    try {
      await listener(change);
    } catch (thrown) {
      this.#log.error('a change of rights could not be passed on', { error: thrown });
    }
  }
}
