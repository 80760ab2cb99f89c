import { LOG_LEVEL_META_KEY, type ServerContext } from '@modelcontextprotocol/server';
import type { ShownProgress } from '../worldfs/index.js';
import { progressText } from './call-result.js';
import type { Follower } from './job.js';
import type { Told } from './questions.js';

/** Of one call so much of its stderr is passed on; the rest is in its job. */
const MAX_LOG_BYTES = 64 * 1024;

/**
 * Tells the client of a request how far its job is, and what its driver says, where the client wants to know. `last` is
 * what it was told of last.
 */
export function followerFor(
  ctx: ServerContext,
  service: string,
  before: Told,
): { follower: Follower; last: () => ShownProgress | undefined; told: () => Told } {
  const { mcpReq } = ctx;
  const token = mcpReq._meta?.progressToken;
  let last: ShownProgress | undefined;
  let told = before.progress;
  let stderrBytes = 0;
  const onProgress = (shown: ShownProgress): void => {
    if (shown.updated_at === null) return;
    const isKnown = last === undefined && shown.done !== null && shown.done <= before.progress;
    last = shown;
    if (token === undefined || isKnown) return;
    // It must grow, whatever the driver says.
    const progress = shown.done !== null && shown.done > told ? shown.done : told + 1e-6;
    told = progress;
    const params = {
      progressToken: token,
      progress,
      ...(shown.total === null ? {} : { total: shown.total }),
      message: shown.message ?? progressText(shown),
    };
    quietly(mcpReq.notify({ method: 'notifications/progress', params }));
  };
  const logLines = lineLogger((line) => quietly(log(ctx, line, service)));
  const onStderr = (bytes: Uint8Array): void => {
    const old = Math.max(0, before.stderrBytes - stderrBytes);
    stderrBytes += bytes.length;
    logLines(bytes.subarray(old));
  };
  return {
    follower: { onProgress, ...(wantsLog(ctx) ? { onStderr } : {}) },
    last: () => last,
    told: () => ({ progress: told, stderrBytes: Math.max(stderrBytes, before.stderrBytes) }),
  };
}

/* eslint-disable @typescript-eslint/no-deprecated -- the protocol keeps logging for a year from 2026-07-28, and has nothing else for it */
/** Clients of the revision of 2026-07-28 say so with each request; those before it say what they do not want. */
function wantsLog({ mcpReq: { envelope } }: ServerContext): boolean {
  return envelope === undefined || Object.hasOwn(envelope, LOG_LEVEL_META_KEY);
}

const log = ({ mcpReq }: ServerContext, line: string, service: string): Promise<void> =>
  mcpReq.log('info', line, service);
/* eslint-enable @typescript-eslint/no-deprecated */

/** A client that has gone is not told, and nobody else minds. */
function quietly(sent: Promise<void>): void {
  sent.catch(() => undefined);
}

/** Whole lines, as they come; what is longer, or too much, is cut. */
function lineLogger(log: (line: string) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  let left = MAX_LOG_BYTES;
  return (bytes) => {
    if (left <= 0) return;
    rest += decoder.decode(bytes.subarray(0, left), { stream: true });
    left -= bytes.length;
    const lines = rest.split('\n');
    rest = left > 0 ? (lines.pop() ?? '') : '';
    for (const line of lines) if (line.trim() !== '') log(line);
  };
}
