import type { FsError, JsonObject } from '../core/index.js';
import type { ShownProgress } from '../worldfs/index.js';

/** `status.json` of a job. */
export interface JobStatus {
  readonly state: 'running' | 'ok' | 'error' | 'timeout' | 'cancelled';
  readonly invocation_id: string;
  readonly exit_code: number | null;
  /** A sentence for people; null when all is well. */
  readonly error: string | null;
  readonly errno: FsError['code'] | null;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly duration_ms: number | null;
  readonly progress: ShownProgress | null;
  readonly by: JsonObject;
}
