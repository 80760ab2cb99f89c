import type { SystemCalls } from './system-calls.js';

/** Reads requests from /dev/fuse. */
export interface Reader {
  readonly kind: ReaderKind;
  /** The bytes that one read can take. */
  readonly bufferBytes: number;
  /**
   * Starts. `onRequest` gets each request in turn, in bytes that are the reader's again when it returns, and
   * says whether it is done with it: false where promises are to go on first.
   * When the mount is gone, or after `stop`, `onEnd` is called, and the descriptor closed once that has
   * answered: until then its number means this mount.
   * @returns when all is closed, with what went wrong unless the mount was just taken off.
   */
  start(
    onRequest: (bytes: Buffer, length: number) => boolean,
    onEnd: () => Promise<void>,
  ): Promise<Error | undefined>;
  /** Faster calls, as soon as there are any; a reader may do without. */
  use?(calls: SystemCalls): void;
  /** Stops reading. */
  stop(): void;
}

/**
 * - `pipe`: the event loop itself waits for requests, through an internal handle of Node. The fastest.
 * - `thread`: a worker thread blocks in read(2). Public interfaces alone.
 */
export type ReaderKind = 'pipe' | 'thread';

/** What says that nobody is mounted on the descriptor any more, and so is no failure. */
export function isUnmounted(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENODEV' || code === 'ECONNABORTED';
}

/** 1 MiB of data, which is FUSE_MAX_MAX_PAGES, and a page for the headers. */
export const READ_BUFFER_BYTES = 1024 * 1024 + 4096;
