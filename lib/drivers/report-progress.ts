import type { Invocation } from './contract.js';
import { progressFrom } from './progress.js';
import { progressLine } from './progress-lines.js';

/** Passes on how far a call is; what is no progress becomes a line of its stderr, where its author finds it. */
export function reportProgress(call: Pick<Invocation, 'onOutput' | 'onProgress'>, value: unknown): void {
  const progress = progressFrom(value);
  if (progress === null) call.onOutput('stderr', Buffer.from(progressLine(value)));
  else call.onProgress?.(progress);
}
