import type { FsError } from '../core/index.js';
import type { Job } from './jobs/job.js';

/** What the caller of an invocation reads back. */
export interface CallReply {
  /** The result, or what stands in its place for a failure: a JSON document. */
  readonly reply: Buffer;
  /** Null when the driver succeeded. */
  readonly error: FsError | null;
}

/** An accepted invocation on its way. */
export interface Call {
  readonly job: Job;
  /** Settles when it has ended and its outcome is durable; never rejects. */
  readonly ended: Promise<CallReply>;
  cancel(reason: FsError): void;
}
