import { setTimeout as delay } from 'node:timers/promises';

/** How often it is looked for, at first and in the end: looking takes time from what is waited for. */
const [FIRST_MS, LAST_MS] = [5, 50];

/** Waits until `condition` holds. @throws Error after `timeoutMs`, by far more than a loaded machine needs. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
  timeoutMs = 60_000,
): Promise<void> {
  const started = Date.now();
  while (!(await condition())) {
    const waited = Date.now() - started;
    if (waited > timeoutMs) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`);
    await delay(Math.min(LAST_MS, Math.max(FIRST_MS, waited / 10)));
  }
}
