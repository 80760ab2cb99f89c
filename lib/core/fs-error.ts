import { ERRNO, isErrnoCode, type ErrnoCode } from '../linux/index.js';
import { wordsFromSystemError } from './system-words.js';

export interface FsErrorOptions {
  /** One sentence on what to do about it. */
  hint?: string;
  /** The path the failure is about, as the user knows it. */
  path?: string;
  cause?: unknown;
}

/**
 * The one error of this program: an errno, a sentence on what happened (`message`), and a sentence on
 * what to do (`hint`). Made at the place that knows; carried unchanged to the bridge, which translates it.
 * Programmer mistakes are `TypeError`, not this.
 */
export class FsError extends Error {
  readonly code: ErrnoCode;
  readonly hint: string | undefined;
  readonly path: string | undefined;

  constructor(code: ErrnoCode, message: string, options: FsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FsError';
    this.code = code;
    this.hint = options.hint;
    this.path = options.path;
  }

  /** The positive Linux error number. */
  get errno(): number {
    return ERRNO[this.code];
  }

  /** What happened and what to do, for people: `last_error.txt`, stderr of commands. */
  get sentence(): string {
    return this.hint === undefined ? this.message : `${this.message}\n${this.hint}`;
  }

  /** Realm-safe test: worker threads and duplicated modules have classes of their own. */
  static is(value: unknown): value is FsError {
    return (
      value instanceof Error && value.name === 'FsError' && isErrnoCode((value as { code?: unknown }).code)
    );
  }

  /**
   * Turns anything thrown into an `FsError`: itself; a Node errno; an abort to its reason or ECANCELED;
   * a timeout to ETIMEDOUT; a lost peer to EHOSTDOWN; everything else to EIO with its cause. What the system
   * refused is said in words. Total.
   */
  static from(thrown: unknown): FsError {
    if (FsError.is(thrown)) return thrown;
    if (!(thrown instanceof Error))
      return new FsError('EIO', `Unexpected failure: ${describe(thrown)}.`, { cause: thrown });
    const code = (thrown as { code?: unknown }).code;
    if (thrown.name === 'TimeoutError') return new FsError('ETIMEDOUT', thrown.message, { cause: thrown });
    if (thrown.name === 'AbortError' || code === 'ABORT_ERR') {
      return FsError.is(thrown.cause)
        ? thrown.cause
        : new FsError('ECANCELED', 'The operation was cancelled.', { cause: thrown });
    }
    const { message = thrown.message, hint } = wordsFromSystemError(thrown) ?? {};
    const words = { cause: thrown, ...(hint === undefined ? {} : { hint }) };
    if (isErrnoCode(code)) {
      const path = (thrown as { path?: unknown }).path;
      return new FsError(code, message, { ...words, ...(typeof path === 'string' ? { path } : {}) });
    }
    if (typeof code === 'string' && LOST_PEER.has(code)) return new FsError('EHOSTDOWN', message, words);
    return new FsError('EIO', thrown.message || 'Unexpected failure.', { cause: thrown });
  }
}

/**
 * Why something failed, for the end of a sentence that says what failed: without a full stop, and where the system
 * refused it, without the path.
 */
export function reasonOf(thrown: unknown): string {
  const refusal = FsError.is(thrown) && isSameSentence(thrown) ? thrown.cause : thrown;
  const words = refusal instanceof Error && !FsError.is(refusal) ? wordsFromSystemError(refusal) : undefined;
  return words?.reason ?? FsError.from(thrown).message.replace(/\.$/, '');
}

function isSameSentence({ cause, message }: FsError): boolean {
  return cause instanceof Error && wordsFromSystemError(cause)?.message === message;
}

const LOST_PEER = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

function describe(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    // A thrown value may throw again when it is made into text.
    return 'something that cannot be shown was thrown';
  }
}

/** An error that is part of ordinary work (a name that is not there): made without a stack, which is most of its price. */
export function quietError(code: ErrnoCode, message: string): FsError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new FsError(code, message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
