import { useEffect, useReducer } from 'preact/hooks';

/** A value that changes, and those who want to know of it. */
export class Store<Value> {
  #value: Value;
  readonly #listeners = new Set<() => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  get value(): Value {
    return this.#value;
  }

  set(value: Value): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The store's value; the component is shown anew when it changes. */
export function useStore<Value>(store: Store<Value>): Value {
  const [, again] = useReducer((count: number, _: undefined) => count + 1, 0);
  const shown = store.value;
  useEffect(() => {
    if (!Object.is(shown, store.value)) again(undefined);
    return store.on(() => again(undefined));
  }, [store]);
  return store.value;
}
