import type { FsError, InvocationId, JsonObject, ServiceId } from '../core/index.js';
import type { Role } from '../policy/index.js';
import type { CancelSignal } from './cancel.js';
import type { Progress } from './progress.js';

/**
 * What runs a service. A driver holds the limits of its runtime (time, output, memory); how many calls
 * run at once is decided above it. One instance serves one service definition, and many calls at once.
 */
export interface Driver {
  /**
   * Runs one invocation to its end. Resolves with the outcome, whatever it is: a failure of the driver,
   * a timeout or a cancellation is an outcome, not a rejection. When it resolves, nothing of the
   * invocation is left: no process of its group, no descriptor.
   */
  invoke(call: Invocation): Promise<Outcome>;
  /** Why calls cannot succeed at present (a missing executable, a failed start), or null. */
  readonly fault: FsError | null;
  /** Calls `listener` at each change of `fault`; returns the way to stop listening. */
  onFault(listener: (fault: FsError | null) => void): () => void;
  /** Ends what is running (as a cancellation does) and frees everything. Idempotent. */
  close(): Promise<void>;
  /** Starts over what is kept alive between calls (warm and persistent processes); `control/restart`. */
  restart(): Promise<void>;
  /** Files that it shows in the directory of its service. Absent: none. */
  readonly folder?: DriverFolder;
}

/** Whose doing something is. */
export type Caller = Invocation['caller'];

/** Files behind a driver, in one directory. */
export interface DriverFolder {
  readonly name: string;
  /** When there were others. */
  readonly changedAtMs: number;
  /** What is there now, by name. */
  entries(): ReadonlyMap<string, DriverFile>;
}

export interface DriverFile {
  /** What is in it now; within seconds, whatever is behind it. @throws FsError */
  read(caller: Caller, signal: AbortSignal): Promise<DriverFileContent>;
}

export interface DriverFileContent {
  readonly bytes: Uint8Array;
  /** When it was first seen to be so. */
  readonly changedAtMs: number;
}

/** One call of a driver. */
export interface Invocation {
  readonly id: InvocationId;
  readonly nodeId: string;
  readonly serviceId: ServiceId;
  /** The request's exact bytes, one JSON object. */
  readonly payload: Uint8Array;
  readonly caller: {
    readonly role: Role;
    readonly agentId: string | null;
    readonly projectId: string | null;
    /** Equal for calls of the same caller alone; by default what the three above say. */
    readonly principal?: string;
  };
  /** ms since the epoch at which it times out. */
  readonly deadlineMs: number;
  /** The service's config. One that has changed is another object. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the driver's own part is caused by, as W3C Trace Context has it. Absent or null: nothing is known. */
  readonly traceparent?: string | null;
  /** Aborts to cancel; the reason is the `FsError` to answer with. */
  readonly signal: CancelSignal;
  /** Live output, in order, as it comes. */
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void;
  /** How far it is, as often as the driver says it. Absent: nobody wants to know. */
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Asks the caller something while the call runs. Resolves with the answer, null where there is none to be had: the
   * caller declines, or `signal` aborts. Absent: nobody can be asked.
   */
  readonly onQuestion?: (question: Question, signal: AbortSignal) => Promise<JsonObject | null>;
}

/** What a driver asks the caller. */
export interface Question {
  readonly message: string;
  /** JSON Schema of the answer. */
  readonly schema: JsonObject;
  /** Where the caller is to go. */
  readonly url?: string;
}

/** How long (ms) a call may run from `nowMs` on: to its deadline, `limitMs` at the most, and 1 at the least. */
export function timeLeftMs(
  { deadlineMs }: Pick<Invocation, 'deadlineMs'>,
  limitMs: number,
  nowMs: number,
): number {
  return Math.min(limitMs, Math.max(1, deadlineMs - nowMs));
}

/** The request's exact characters. */
export function payloadText({ payload }: Pick<Invocation, 'payload'>): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
}

export type Outcome = Success | Failure;

export interface Success {
  readonly ok: true;
  /** The result, one JSON document as the driver gave it (text already wrapped). */
  readonly result: Uint8Array;
  /** Null where there is no process. */
  readonly exitCode: number | null;
  /** What of the answer is no JSON: `content/` of the job. */
  readonly files?: readonly ResultFile[];
}

export interface ResultFile {
  /** One name, which no other file of the answer has. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Failure {
  readonly ok: false;
  /** EIO, ETIMEDOUT or ECANCELED; EINVAL or E2BIG where it is of the request; what a server of its own says may be others. */
  readonly error: FsError;
  readonly exitCode: number | null;
  /** The request cannot be done by anybody, and nothing ran: it says nothing of the service's health. */
  readonly ofRequest?: true;
}
