import { FsError, ownValue, type JsonObject } from '../core/index.js';
import { errnoCodeFromNumber } from '../linux/index.js';
import { requestReferenceOf, type AcheronEnvelope, type Envelope } from './envelope.js';
import { errnoFromCode } from './protocol-codes.js';
import { ProtocolFault, type RequestReference } from './protocol-fault.js';

/**
 * The frame that answers `request` with what went wrong. On the control channel and outside the files it
 * is `{code, message}`; a file request (`acheron.t_fs_*`) gets `acheron.err_fs` with a Linux errno.
 */
export function errorFrameFrom(thrown: unknown, request: RequestReference): Envelope {
  if (request.channel === 'acheron')
    return isFileRequest(request) ? fileError(thrown, request) : acheronError(thrown, request);
  const fault = ProtocolFault.from(thrown);
  return {
    channel: 'control',
    type: 'control.error',
    ...(request.id === undefined ? {} : { id: request.id }),
    ok: false,
    error: { ...fault.details, code: fault.code, message: fault.message },
  };
}

/** The answer to a frame that could not even be read; `channel` says where it came in. */
export function errorFrameFromFault(fault: ProtocolFault, channel: 'control' | 'acheron'): Envelope {
  const request: RequestReference = { ...fault.request, channel: fault.request.channel ?? channel };
  return errorFrameFrom(fault, request);
}

/** `acheron.error {code, message}`. */
export function acheronError(thrown: unknown, request: RequestReference): AcheronEnvelope {
  const fault = ProtocolFault.from(thrown);
  return {
    channel: 'acheron',
    type: 'acheron.error',
    ...(request.tag === undefined ? {} : { tag: request.tag }),
    ok: false,
    error: { ...fault.details, code: fault.code, message: fault.message },
  };
}

/** `acheron.err_fs {errno, message}`; `code` and `hint` are ours. A stack or a cause never leaves. */
export function errFsFrame(tag: number | undefined, error: FsError): AcheronEnvelope {
  return {
    channel: 'acheron',
    type: 'acheron.err_fs',
    ...(tag === undefined ? {} : { tag }),
    ok: false,
    error: {
      errno: error.errno,
      message: error.message,
      code: error.code,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
  };
}

/** What an error frame of the peer says, as an `FsError`: errno, sentence, hint. Total. */
export function fsErrorFromFrame(frame: AcheronEnvelope): FsError {
  const error = (frame.error ?? {}) as JsonObject;
  const errno = ownValue(error, 'errno');
  const message = ownValue(error, 'message');
  const hint = ownValue(error, 'hint');
  const text = typeof message === 'string' ? clipped(message) : 'The peer refused without a reason.';
  const code = typeof errno === 'number' ? errnoCodeFromNumber(errno) : undefined;
  return new FsError(code ?? (errno === undefined ? 'EPROTO' : 'EIO'), text, {
    ...(typeof hint === 'string' ? { hint: clipped(hint) } : {}),
  });
}

/** Sentences are short; a peer that sends more fills no memory with it. */
function clipped(text: string): string {
  return text.length > MAX_SENTENCE_CHARS ? `${text.slice(0, MAX_SENTENCE_CHARS)}…` : text;
}

const MAX_SENTENCE_CHARS = 16_384;

/** What a control error of the peer says, as a fault; a code that we do not know is kept. Total. */
export function faultFromFrame(frame: Envelope): ProtocolFault {
  const { code, message, ...details } = (frame.error ?? {}) as JsonObject;
  return new ProtocolFault(
    typeof code === 'string' ? code : 'internal',
    typeof message === 'string' ? message : 'The peer refused without a reason.',
    { request: requestReferenceOf(frame), details },
  );
}

function isFileRequest(request: RequestReference): boolean {
  return request.type?.startsWith('acheron.t_fs_') === true;
}

/** A fault of the protocol within the files has an errno too, and keeps its own code. */
function fileError(thrown: unknown, request: RequestReference): AcheronEnvelope {
  if (!(thrown instanceof ProtocolFault)) return errFsFrame(request.tag, FsError.from(thrown));
  const frame = errFsFrame(request.tag, new FsError(errnoFromCode(thrown.code), thrown.message));
  return { ...frame, error: { ...frame.error, code: thrown.code } };
}
