import { FsError } from '../core/index.js';

/** @throws FsError why the caller gave up, if it did */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw FsError.from(signal.reason);
}
