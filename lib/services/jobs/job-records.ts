import { isJsonObject, type InvocationId, type JsonObject, type JsonValue } from '../../core/index.js';
import type { ByteStore, Extent } from '../../disk/index.js';
import { isErrnoCode } from '../../linux/index.js';
import { progressFrom } from '../../drivers/index.js';
import { Job, type JobEnd, type JobProgress, type JobState } from './job.js';

/** The headers of the records that make up a job, to and from JSON. */

export function acceptHeader(job: Job): JsonObject {
  return { t: 'accept', ...factsOf(job) };
}

export function finishHeader(job: Job, metrics: JsonValue): JsonObject {
  return { t: 'finish', id: job.id, metrics, ...endOf(job) };
}

/** What is kept of a key: whose it is, and how its job ended; the body is the result. */
export function keyEndHeader(job: Job): JsonObject {
  return { t: 'end', ...factsOf(job), ...endOf(job) };
}

/** A whole finished job in one record; the body is its four blobs, one after the other. */
export function wholeHeader(job: Job): JsonObject {
  return {
    t: 'job',
    ...factsOf(job),
    ...endOf(job),
    sizes: job.blobs.map((blob) => blob.size),
    held: [...job.holders],
    ...(job.files.size === 0 ? {} : { files: [...job.files.keys()] }),
  };
}

export function jobFromHeader(log: ByteStore, header: JsonObject): Job {
  const by = (header.by ?? {}) as JsonObject;
  return new Job(log, {
    id: text(header.id) as InvocationId,
    owner: {
      principal: text(header.principal),
      sessionId: text(by.session_id),
      role: text(by.role),
      agentId: textOrNull(by.agent_id),
      projectId: textOrNull(by.project_id),
    },
    acceptedAtMs: Number(header.at),
    rejected: header.rejected === true,
    key: textOrNull(header.key),
    keyDigest: textOrNull(header.key_digest),
  });
}

export function endFromHeader(job: Job, header: JsonObject): void {
  if (typeof header.state !== 'string') return;
  job.startedAtMs = numberOrNull(header.started);
  job.finishSequence = Number(header.n);
  job.end = {
    state: header.state as JobState,
    exitCode: numberOrNull(header.exit_code),
    errno: isErrnoCode(header.errno) ? header.errno : null,
    error: textOrNull(header.error),
    hint: textOrNull(header.hint),
    finishedAtMs: Number(header.finished),
  } satisfies JobEnd;
  job.progress = progressFromHeader(header.progress);
  job.changedAtMs = job.end.finishedAtMs;
}

function progressFromHeader(recorded: JsonValue | undefined): JobProgress | null {
  const progress = progressFrom(recorded);
  if (progress === null || !isJsonObject(recorded)) return null;
  return { ...progress, updatedAtMs: Number(recorded.at) };
}

/** Hands the blobs of a whole record to the job. */
export function blobsFromWhole(job: Job, header: JsonObject, body: Extent): void {
  if (Array.isArray(header.files)) for (const name of header.files as readonly string[]) job.fileNamed(name);
  const sizes = Array.isArray(header.sizes) ? (header.sizes as readonly JsonValue[]).map(Number) : [];
  let { offset } = body;
  for (const [index, blob] of job.blobs.entries()) {
    const length = sizes[index] ?? 0;
    blob.moveTo({ segment: body.segment, offset, length });
    offset += length;
  }
}

function factsOf(job: Job): JsonObject {
  const { owner } = job;
  return {
    id: job.id,
    principal: owner.principal,
    by: {
      session_id: owner.sessionId,
      role: owner.role,
      agent_id: owner.agentId,
      project_id: owner.projectId,
    },
    at: job.acceptedAtMs,
    rejected: job.rejected,
    key: job.key,
    key_digest: job.keyDigest,
  };
}

function endOf(job: Job): JsonObject {
  const { end } = job;
  if (end === null) return {};
  return {
    n: job.finishSequence,
    state: end.state,
    started: job.startedAtMs,
    finished: end.finishedAtMs,
    exit_code: end.exitCode,
    errno: end.errno,
    error: end.error,
    hint: end.hint,
    ...(job.progress === null ? {} : { progress: progressOf(job.progress) }),
  };
}

function progressOf({ done, total, message, updatedAtMs }: JobProgress): JsonObject {
  return { done, total, message, at: updatedAtMs };
}

const text = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
const textOrNull = (value: JsonValue | undefined): string | null =>
  typeof value === 'string' ? value : null;
const numberOrNull = (value: JsonValue | undefined): number | null =>
  typeof value === 'number' ? value : null;

export function metricsOfHeader(header: JsonObject): JsonObject | null {
  return isJsonObject(header.metrics) ? header.metrics : null;
}
