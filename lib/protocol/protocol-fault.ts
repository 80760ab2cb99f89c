import { FsError } from '../core/index.js';
import type { ErrnoCode } from '../linux/index.js';

/**
 * What `error.code` may say on the wire. Peers of any age must be able to meet a code that they do not
 * know, so a reader takes any text; a writer takes one of these.
 */
export const PROTOCOL_CODES = [
  'provider_auth_failed',
  'forbidden',
  'missing_field',
  'invalid_envelope',
  'invalid_payload',
  'unsupported_type',
  'unsupported_protocol',
  'handshake_required',
  'frame_too_large',
  'session_busy',
  'not_found',
  'conflict',
  'rate_limited',
  'stale_epoch',
  'compacted',
  'lagged',
  'timeout',
  'unavailable',
  'internal',
] as const;

export type ProtocolCode = (typeof PROTOCOL_CODES)[number];

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
    return new ProtocolFault(CODE_OF_ERRNO.get(thrown.code) ?? 'internal', thrown.sentence, {
      cause: thrown,
    });
  }
}

const CODE_OF_ERRNO = new Map<ErrnoCode, ProtocolCode>([
  ['EACCES', 'forbidden'],
  ['EPERM', 'forbidden'],
  ['ENOENT', 'not_found'],
  ['EINVAL', 'invalid_payload'],
  ['E2BIG', 'frame_too_large'],
  ['EFBIG', 'frame_too_large'],
  ['EEXIST', 'conflict'],
  ['EBUSY', 'session_busy'],
  ['ETIMEDOUT', 'timeout'],
  ['EHOSTDOWN', 'unavailable'],
  ['EPROTO', 'unsupported_protocol'],
]);
