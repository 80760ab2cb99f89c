import { FsError, documentFromJson, indentJson } from '../core/index.js';
import type { Outcome } from '../drivers/index.js';
import type { CallReply } from './call.js';
import type { EndedJob, JobEnd, JobState } from './jobs/job.js';

const STATES = new Map<string, JobState>([
  ['ETIMEDOUT', 'timeout'],
  ['ECANCELED', 'cancelled'],
]);

/** How a job ends that failed with `error`. */
export function endFromError(error: FsError, exitCode: number | null, finishedAtMs: number): JobEnd {
  return {
    state: STATES.get(error.code) ?? 'error',
    exitCode,
    errno: error.code,
    error: error.message,
    hint: error.hint ?? null,
    finishedAtMs,
  };
}

/** The end of a job as it was reported when it ended. */
export function storedEnd(job: EndedJob): CallReply {
  const { end } = job;
  if (end.errno === null) return { error: null, reply: job.result.all() };
  return {
    error: new FsError(end.errno, end.error ?? 'It failed.', { hint: end.hint ?? undefined }),
    reply: failureReply(job),
  };
}

/** What a descriptor reads back for a call that failed. */
export function failureReply(job: EndedJob): Buffer {
  const { end } = job;
  return documentFromJson({
    error: { errno: end.errno, message: end.error, hint: end.hint },
    invocation_id: job.id,
  });
}

/** With its result as `result.json` shows it. A result that cannot be shown is a failure of the driver. */
export function indented(outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  try {
    return { ...outcome, result: Buffer.from(indentJson(Buffer.from(outcome.result).toString())) };
  } catch (thrown) {
    return { ok: false, error: FsError.from(thrown), exitCode: outcome.exitCode };
  }
}

/** The refusal of a request under a key that another has. */
export function keyReused(key: string): FsError {
  return new FsError('EEXIST', `The _key ${JSON.stringify(key)} was used for another request.`, {
    hint: 'Take a new key for a new request; jobs/by-key shows those in use.',
  });
}
