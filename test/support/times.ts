const TICK_MS = 20;
/** A tick that comes so late tells of a machine, or a thread, that stood still. */
const LATE_MS = 50;

/**
 * How long `work` waited, without the moments in which nothing here could run: the whole machine stood still, or others
 * had its processors. For what waits, not for what keeps this thread busy: that too counts as standing still.
 */
export async function waited<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  let stillMs = 0;
  let lastMs = performance.now();
  const tick = (): void => {
    const late = performance.now() - lastMs - TICK_MS;
    if (late > LATE_MS) stillMs += late;
    lastMs = performance.now();
  };
  const timer = setInterval(tick, TICK_MS);
  const startMs = performance.now();
  try {
    const answer = await work();
    tick();
    return { answer, ms: performance.now() - startMs - stillMs };
  } finally {
    clearInterval(timer);
  }
}
