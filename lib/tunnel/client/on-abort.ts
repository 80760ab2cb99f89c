const LISTENERS = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when `signal` aborts, until the returned function is called. However many wait for one signal,
 * it has one listener, so a signal that many requests share stays cheap.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let waiting = LISTENERS.get(signal);
  if (waiting === undefined) {
    const mine = new Set<() => void>();
    waiting = mine;
    LISTENERS.set(signal, mine);
    signal.addEventListener('abort', () => {
      for (const call of mine) call();
    });
  }
  const all = waiting;
  const own = (): void => callback();
  all.add(own);
  return () => all.delete(own);
}
