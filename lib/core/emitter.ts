export type Unsubscribe = () => void;

/** Typed, synchronous fan-out. A listener that throws does not keep the others from hearing. */
export class Emitter<Event> {
  readonly #listeners = new Set<(event: Event) => void>();

  on(listener: (event: Event) => void): Unsubscribe {
    const own = (event: Event): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  emit(event: Event): void {
    let failure: { thrown: unknown } | undefined;
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (thrown) {
        failure ??= { thrown };
      }
    }
    if (failure !== undefined) throw failure.thrown;
  }

  get size(): number {
    return this.#listeners.size;
  }
}
