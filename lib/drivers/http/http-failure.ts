import type { FsError } from '../../core/index.js';

/** Why a request gave no result, and whether it may be sent again. */
export class HttpFailure extends Error {
  readonly error: FsError;
  /** ms to wait before it is sent again, 0: as usual; null: it would not help. */
  readonly againMs: number | null;
  /** Nobody could do what was asked: it says nothing of the service. */
  readonly ofRequest: boolean;

  constructor(
    error: FsError,
    { againMs = null, ofRequest = false }: { againMs?: number | null; ofRequest?: boolean } = {},
  ) {
    super(error.message);
    this.error = error;
    this.againMs = againMs;
    this.ofRequest = ofRequest;
  }
}
