import { newIno } from '../../vfs/index.js';
import { timestamp, type Clock, type InvocationId, type JsonObject } from '../../core/index.js';
import type { ByteStore } from '../../disk/index.js';
import type { Progress } from '../../drivers/index.js';
import type { ErrnoCode } from '../../linux/index.js';
import type { Session } from '../../policy/index.js';
import { principalOf, roleOfPrincipal } from '../../policy/index.js';
import { Blob } from './blob.js';
import { JobNews } from './job-news.js';
import { QuestionBox } from './job-question.js';

export type JobState = 'queued' | 'running' | 'ok' | 'error' | 'timeout' | 'cancelled';

/** On whose behalf a job runs, as `status.json` shows it. */
export interface JobOwner {
  readonly principal: string;
  readonly sessionId: string;
  readonly role: string;
  readonly agentId: string | null;
  readonly projectId: string | null;
}

export function ownerOf(session: Session): JobOwner {
  return {
    principal: principalOf(session),
    sessionId: session.id,
    role: roleOfPrincipal(session),
    agentId: session.agentId,
    projectId: session.project?.id ?? null,
  };
}

/** How a job ended. */
export interface JobEnd {
  readonly state: JobState;
  readonly exitCode: number | null;
  /** What went wrong: the errno, and the sentences of `last_error.txt`. Null when it is ok. */
  readonly errno: ErrnoCode | null;
  readonly error: string | null;
  readonly hint: string | null;
  readonly finishedAtMs: number;
}

/** How far a job is, or was last, and when its driver said so. */
export interface JobProgress extends Progress {
  readonly updatedAtMs: number;
}

/** A job that has ended. */
export type EndedJob = Job & { readonly end: JobEnd };

/** A job that a `_key` names. */
export type KeyedJob = Job & { readonly key: string };

export function isEnded(job: Job): job is EndedJob {
  return job.end !== null;
}

export function isKeyed(job: Job): job is KeyedJob {
  return job.key !== null;
}

/** What keeps a finished job's result from being forgotten. */
export type Holder = 'listed' | 'last' | 'result';

/** One invocation, from its acceptance on. Its bytes lie in the log; what is here is small. */
export class Job {
  readonly id: InvocationId;
  readonly owner: JobOwner;
  readonly acceptedAtMs: number;
  readonly rejected: boolean;
  readonly key: string | null;
  /** sha256 of the request without its `_key`, which shows whether a key is reused for another request. */
  readonly keyDigest: string | null;
  startedAtMs: number | null = null;
  end: JobEnd | null = null;
  /** What its driver said last of how far it is. */
  progress: JobProgress | null = null;
  /** The place in the order of all that finished; 0 while it runs. */
  finishSequence = 0;
  readonly request: Blob;
  readonly stdout: Blob;
  readonly stderr: Blob;
  readonly result: Blob;
  /** What of the answer is no JSON, by name. */
  readonly files = new Map<string, Blob>();
  /** What its driver asks its caller. */
  readonly questions = new QuestionBox(() => this.changed(Date.now()));
  readonly holders = new Set<Holder>();
  /** Names that the user has unlinked inside the job's directory. */
  readonly hidden = new Set<string>();
  /** Ends the running invocation; absent once it has ended. */
  cancel: (() => void) | null = null;
  /** By which the logs of all machines that the call passes name it; not kept. */
  callId: string | undefined;
  /** mtime of what changes while it runs. */
  changedAtMs: number;
  /** Inode numbers of its directory and files. */
  readonly ino = newIno();
  readonly #inos = new Map<string, bigint>();
  readonly #log: ByteStore;
  #news: JobNews | undefined;

  constructor(
    log: ByteStore,
    facts: Pick<Job, 'id' | 'owner' | 'acceptedAtMs' | 'rejected' | 'key' | 'keyDigest'>,
  ) {
    this.id = facts.id;
    this.owner = facts.owner;
    this.acceptedAtMs = facts.acceptedAtMs;
    this.rejected = facts.rejected;
    this.key = facts.key;
    this.keyDigest = facts.keyDigest;
    this.changedAtMs = facts.acceptedAtMs;
    this.#log = log;
    this.request = new Blob(log);
    this.stdout = new Blob(log);
    this.stderr = new Blob(log);
    this.result = new Blob(log);
  }

  get state(): JobState {
    return this.end?.state ?? (this.startedAtMs === null ? 'queued' : 'running');
  }

  get bytes(): number {
    return this.blobs.reduce((sum, { size }) => sum + size, 0);
  }

  get blobs(): readonly Blob[] {
    return [this.request, this.stdout, this.stderr, this.result, ...this.files.values()];
  }

  /** What is kept only as long as the job is listed. */
  get output(): readonly Blob[] {
    return [this.stdout, this.stderr, ...this.files.values()];
  }

  /** One of `files`, made where there is none. */
  fileNamed(name: string): Blob {
    let file = this.files.get(name);
    if (file === undefined) this.files.set(name, (file = new Blob(this.#log)));
    return file;
  }

  endedWith(end: JobEnd): EndedJob {
    this.end = end;
    return this as EndedJob;
  }

  /** What its driver says of how far it is; on record once the job has ended. */
  says(progress: Progress, nowMs: number): void {
    this.progress = { ...progress, updatedAtMs: nowMs };
    this.changed(nowMs);
  }

  /** Something of it is new. */
  changed(nowMs: number): void {
    this.changedAtMs = nowMs;
    this.#news?.say(this.end !== null);
  }

  /** For those who wait until something of it is new. */
  news(clock: Clock): JobNews {
    return (this.#news ??= new JobNews(clock));
  }

  inoOf(name: string): bigint {
    let ino = this.#inos.get(name);
    if (ino === undefined) this.#inos.set(name, (ino = newIno()));
    return ino;
  }
}

/** `status.json`. A queued job is `running` that has not started. */
export function statusOfJob(job: Job): Record<string, unknown> {
  const { end, owner } = job;
  const { asked } = job.questions;
  return {
    state: job.state === 'queued' ? 'running' : job.state,
    invocation_id: job.id,
    exit_code: end?.exitCode ?? null,
    error: end?.error ?? null,
    errno: end?.errno ?? null,
    started_at: timestamp(job.startedAtMs),
    finished_at: timestamp(end?.finishedAtMs ?? null),
    duration_ms: end === null ? null : Math.max(0, end.finishedAtMs - (job.startedAtMs ?? job.acceptedAtMs)),
    progress: job.progress === null ? null : documentOfProgress(job.progress),
    // In full in question.json.
    ...(asked === null ? {} : { asks: asked.question.message }),
    by: {
      session_id: owner.sessionId,
      role: owner.role,
      agent_id: owner.agentId,
      project_id: owner.projectId,
    },
  };
}

/** `progress.json`. Before the driver has said anything, all of it is null. */
export function documentOfProgress(progress: JobProgress | null): JsonObject {
  return {
    done: progress?.done ?? null,
    total: progress?.total ?? null,
    message: progress?.message ?? null,
    updated_at: timestamp(progress?.updatedAtMs ?? null),
  };
}

/** `last_error.txt`: what went wrong and what to do about it; empty for a success. */
export function errorTextOfJob(job: Job): string {
  const { end } = job;
  if (end === null || end.errno === null) return '';
  return `${end.errno}: ${end.error}\n${end.hint === null ? '' : `${end.hint}\n`}`;
}
