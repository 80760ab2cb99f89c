import { FsError } from '../core/index.js';
import type { CancelSignal } from './cancel.js';
import type { Failure, Success } from './contract.js';

const EMPTY = Buffer.from('{}');
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * What standard output of a driver that succeeded means: `json` must be one JSON document (nothing at all
 * means `{}`), handed on byte for byte; `text` is wrapped as `{"text":…}`.
 */
export function outcomeFromOutput(
  written: Uint8Array,
  output: 'json' | 'text',
  exitCode: number | null,
): Success | Failure {
  const stdout = withoutByteOrderMark(written);
  if (output === 'text') {
    const text = Buffer.from(stdout.buffer, stdout.byteOffset, stdout.byteLength).toString('utf8');
    return { ok: true, result: Buffer.from(JSON.stringify({ text })), exitCode };
  }
  let text: string;
  try {
    text = utf8.decode(stdout);
    if (text.trim() === '') return { ok: true, result: EMPTY, exitCode };
    JSON.parse(text);
  } catch (thrown) {
    return failure(
      new FsError('EIO', `The driver succeeded, but its output is not JSON: it printed ${excerpt(stdout)}.`, {
        hint: 'Print one JSON document on standard output and everything else on standard error, or set "output":"text".',
        cause: thrown,
      }),
      exitCode,
    );
  }
  return { ok: true, result: stdout, exitCode };
}

/** Some programs begin their output with one; it is no part of what they say. */
function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  const { length } = BYTE_ORDER_MARK;
  return BYTE_ORDER_MARK.equals(bytes.subarray(0, length)) ? bytes.subarray(length) : bytes;
}

export function failure(error: FsError, exitCode: number | null = null): Failure {
  return { ok: false, error, exitCode };
}

/** What the caller did wrong: it does not count against the service. */
export function requestFailure(thrown: unknown): Failure {
  return { ...failure(FsError.from(thrown)), ofRequest: true };
}

/** The start of what a driver printed, quoted, for a message. */
export function excerpt(bytes: Uint8Array, max = 120): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, max)).toString('utf8');
  return JSON.stringify(text) + (bytes.byteLength > max ? ` and ${bytes.byteLength - max} bytes more` : '');
}

export function tooMuchOutput(maxBytes: number): FsError {
  return new FsError('EIO', `The driver printed more than ${maxBytes} bytes and was stopped.`, {
    hint: 'Raise "max_output_bytes" in the runtime of its manifest, or let it print less.',
  });
}

/** `timeoutMs`: as the manifest says it, though a part of it was spent waiting. */
export function timedOut(timeoutMs: number): FsError {
  return new FsError('ETIMEDOUT', `The driver did not finish within ${timeoutMs} ms and was stopped.`, {
    hint: 'Raise "timeout_ms" in the runtime of its manifest, or ask for less.',
  });
}

/** The error that an abort asks to be answered with. */
export function errorFromAbort(signal: CancelSignal): FsError {
  const reason: unknown = signal.reason;
  return FsError.is(reason) ? reason : new FsError('ECANCELED', 'The call was cancelled.', { cause: reason });
}

export function driverClosed(): FsError {
  return new FsError('ECANCELED', 'The service was stopped while the call ran.', {
    hint: 'Call again once the service is back.',
  });
}
