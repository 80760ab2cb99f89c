/**
 * Makes one turn of `work` of what many ask for: while one runs, all who ask share the next, which begins at least
 * `restMs` later.
 */
export function gathered(work: () => Promise<void>, restMs: number): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const begin = (): Promise<void> => {
    running = work().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (running === null && next === null) return begin();
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined) // Whoever asked for that turn has it.
      .then(() => new Promise((resolve) => setTimeout(resolve, restMs)))
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  };
}
