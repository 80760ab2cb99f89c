import { setMaxListeners } from 'node:events';
import { FsError } from '../core/index.js';
import type { Session } from '../policy/index.js';
import type { Vfs } from '../vfs/index.js';
import type { SeenTree } from '../worldfs/index.js';

/** A tree that somebody looks at, as one session has it; `op` throws EBADF once it is closed. */
export interface Tree extends SeenTree {
  readonly vfs: Vfs;
  /** True: a connection that is lost comes back, so that EHOSTDOWN may pass. */
  readonly comesBack: boolean;
  /** True: a signal cannot reach a call that a write has begun; what has a key is cancelled by its file. */
  readonly cancelsByKey: boolean;
  close(): Promise<void>;
}

export interface TreeTraits {
  readonly comesBack?: boolean;
  readonly cancelsByKey?: boolean;
  readonly close: () => Promise<void>;
}

export function treeOf(
  vfs: Vfs,
  session: Session,
  { comesBack = false, cancelsByKey = false, close }: TreeTraits,
): Tree {
  const never = new AbortController().signal;
  // Each call listens to it while it runs, and any number may run.
  setMaxListeners(0, never);
  let isClosed = false;
  return {
    vfs,
    root: vfs.root,
    changes: vfs.changes,
    comesBack,
    cancelsByKey,
    op: (signal) => {
      if (isClosed) throw new FsError('EBADF', 'The client was closed.');
      // One signal may be given to any number of calls, so each has one of its own that follows it.
      return { session, signal: signal === undefined ? never : AbortSignal.any([signal]) };
    },
    close: () => {
      isClosed = true;
      return close();
    },
  };
}
