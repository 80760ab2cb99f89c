/** How much of its calls a service keeps. */
export interface JobLimits {
  /** Finished jobs kept for each principal, and rejected ones apart. */
  readonly keep: number;
  readonly keepBytes: number;
  /** How long a `_key` is remembered. */
  readonly keyMs: number;
  /** How many keys of one principal are kept, and how many bytes with their results. */
  readonly maxKeys: number;
  readonly maxKeyBytes: number;
  /** How much a segment of the job log, and of the log of keys, holds; for tests of their borders. */
  readonly segmentBytes?: number;
  readonly segmentKeys?: number;
}

export const DEFAULT_JOB_LIMITS: JobLimits = {
  keep: 64,
  keepBytes: 64 * 1024 * 1024,
  keyMs: 24 * 60 * 60 * 1000,
  maxKeys: 1_000_000,
  maxKeyBytes: 4 * 1024 * 1024 * 1024,
};

/** A result that is no longer than this is kept though the disk is full. */
export const SMALL_RESULT = 4096;
/** The part of the reserve that is left for the ends of calls and for removals. */
export const FOR_ENDS = 1 / 2;
