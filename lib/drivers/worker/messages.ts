import type { EventEmitter } from 'node:events';

/** A worker thread, or what serves as one: it emits `message`, `error` and `exit` (with its status). */
export interface DriverThread extends EventEmitter {
  postMessage(message: ToWorker): void;
  terminate(): Promise<unknown>;
  /** Keeps this process alive no longer. */
  unref(): void;
}

/** What passes between a driver and its worker threads: one call at a time in each worker. */
export type ToWorker =
  | {
      readonly type: 'call';
      /** As text: of a buffer, all that lies beside it in memory would be copied too. */
      readonly payload: string;
      readonly facts: Readonly<Record<string, string | number | null>>;
      readonly config: unknown;
    }
  | { readonly type: 'cancel' };

export type FromWorker =
  /** It is loaded and can take a call. */
  | { readonly type: 'ready' }
  /** It cannot be loaded, and why. */
  | { readonly type: 'fault'; readonly message: string }
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly chunk: Uint8Array }
  /** How far the call is; yet to be checked. */
  | { readonly type: 'progress'; readonly value: unknown }
  /** It heard the cancel and may end the call by itself. */
  | { readonly type: 'stopping' }
  | { readonly type: 'done'; readonly result: Uint8Array | string }
  | { readonly type: 'exited'; readonly status: number; readonly stderrTail: string }
  | { readonly type: 'too-much-output' }
  | { readonly type: 'failed'; readonly message: string };
