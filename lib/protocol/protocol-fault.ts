import { FsError } from '../core/index.js';
import { codeFromErrno, type ProtocolCode } from './protocol-codes.js';

/** Which request a fault answers, as far as it could be read. */
export interface RequestReference {
  readonly channel?: 'control' | 'acheron';
  readonly type?: string;
  readonly id?: string;
  readonly tag?: number;
}

/**
 * What is wrong with a frame or a request, as the protocol says it: a code and a sentence. The only thing
 * that decoding throws. It becomes an error frame (`errorFrameFrom`); it never reaches the files.
 */
export class ProtocolFault extends Error {
  /** One of `PROTOCOL_CODES`, or what a newer peer said. */
  readonly code: string;
  readonly request: RequestReference;
  /** Further fields of `error` (for `compacted`: the oldest revision that is kept). Never a secret. */
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ProtocolCode | (string & Record<never, never>),
    message: string,
    options: {
      request?: RequestReference;
      details?: Readonly<Record<string, unknown>>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProtocolFault';
    this.code = code;
    this.request = options.request ?? {};
    this.details = options.details;
  }

  /** The same fault, said of `request` where it did not know its request. */
  about(request: RequestReference): ProtocolFault {
    return new ProtocolFault(this.code, this.message, {
      request: { ...request, ...this.request },
      ...(this.details === undefined ? {} : { details: this.details }),
      cause: this.cause,
    });
  }

  /**
   * Turns anything thrown into a fault. An `FsError` keeps its sentence and gets the code next to its
   * errno; anything else is `internal`, and what it says stays here (`cause`), for the log.
   */
  static from(thrown: unknown): ProtocolFault {
    if (thrown instanceof ProtocolFault) return thrown;
    if (!FsError.is(thrown))
      return new ProtocolFault('internal', 'The request failed unexpectedly.', { cause: thrown });
    return new ProtocolFault(codeFromErrno(thrown.code), thrown.sentence, {
      cause: thrown,
    });
  }
}
