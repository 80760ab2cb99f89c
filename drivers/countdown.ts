#!/usr/bin/env node
// Waits for some seconds or until a time, and says on stderr how much is left. The pattern for slow work:
// progress on stderr, as a line for people that callers follow in jobs/latest/stderr, and as a `::progress` line that
// becomes jobs/latest/progress.json and a bar in `acheron invoke`; SIGTERM, which is how a cancellation
// or a timeout arrives, ends it at once with a last word; the result only at the end.
import { PayloadError, readPayload, runDriver } from './payload.js';

const LONGEST_SECONDS = 3600;

await runDriver('countdown', async () => {
  const payload = readPayload();
  const startedMs = Date.now();
  const endMs = endOf(payload, startedMs);
  const everyMs = secondsIn(payload, 'every_seconds', 1, 0.05) * 1000;
  const message = payload['message'] ?? 'Time is up.';

  process.once('SIGTERM', () => {
    say(`stopped with ${secondsText(endMs - Date.now())} left`);
    process.exit(128 + 15);
  });
  const totalMs = endMs - startedMs;
  // Each line is due at a time of its own and says what is left then, also where this process was woken late.
  for (let dueMs = 0; dueMs < totalMs; dueMs = nextDue(dueMs, everyMs, Date.now() - startedMs)) {
    await until(startedMs + dueMs);
    say(`${secondsText(totalMs - dueMs)} left`);
    sayProgress(totalMs, totalMs - dueMs);
  }
  await until(endMs);
  say('done');
  if (totalMs > 0) sayProgress(totalMs, 0);
  const finishedMs = Date.now();
  const result = {
    message,
    started_at: new Date(startedMs).toISOString(),
    finished_at: new Date(finishedMs).toISOString(),
    waited_ms: finishedMs - startedMs,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
});

/** What is due after `dueMs`; lines whose time has passed as well are left out. */
function nextDue(dueMs: number, everyMs: number, nowMs: number): number {
  return Math.max(dueMs + everyMs, Math.floor(nowMs / everyMs) * everyMs);
}

/** A timer may fire a millisecond early. */
async function until(timeMs: number): Promise<void> {
  for (let leftMs = timeMs - Date.now(); leftMs > 0; leftMs = timeMs - Date.now())
    await new Promise((resolve) => setTimeout(resolve, leftMs));
}

function endOf(payload: Record<string, unknown>, startedMs: number): number {
  if (Object.hasOwn(payload, 'until') === Object.hasOwn(payload, 'seconds'))
    throw new PayloadError('give either "seconds" or "until"');
  if (!Object.hasOwn(payload, 'until')) return startedMs + secondsIn(payload, 'seconds', undefined, 0) * 1000;
  const endMs = typeof payload['until'] === 'string' ? Date.parse(payload['until']) : NaN;
  if (Number.isNaN(endMs)) throw new PayloadError('"until" must be a time such as "2030-01-31T09:00:00Z"');
  if (endMs - startedMs > LONGEST_SECONDS * 1000)
    throw new PayloadError(`"until" is more than ${LONGEST_SECONDS} s away`);
  return endMs;
}

function secondsIn(
  payload: Record<string, unknown>,
  key: string,
  fallback: number | undefined,
  least: number,
): number {
  const value = Object.hasOwn(payload, key) ? payload[key] : fallback;
  if (typeof value !== 'number' || !(value >= least && value <= LONGEST_SECONDS))
    throw new PayloadError(`"${key}" must be a number from ${least} to ${LONGEST_SECONDS}`);
  return value;
}

function secondsText(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}

function say(words: string): void {
  process.stderr.write(`countdown: ${words}\n`);
}

function sayProgress(totalMs: number, leftMs: number): void {
  const progress = {
    done: (totalMs - leftMs) / 1000,
    total: totalMs / 1000,
    message: `${secondsText(leftMs)} left`,
  };
  process.stderr.write(`::progress ${JSON.stringify(progress)}\n`);
}
