import type { Vfs } from '../../vfs/index.js';
import type { BackingFiles, Filesystem, Notifier } from '../kernel/index.js';
import { attributeHandlers, extendedAttributeHandlers } from './attributes.js';
import { directoryHandlers } from './directories.js';
import { fileHandlers } from './files.js';
import { lockHandlers } from './locks.js';
import { nameHandlers } from './names.js';
import { MountState, type MountStateOptions } from './mount-state.js';

/**
 * A `Vfs` as a `Filesystem` of lib/fuse/kernel: which node has which nodeid, what the kernel may keep and
 * for how long, and how it is notified of changes. With `backing`, files of exports are handed
 * over to the kernel: the session must be one whose rights are for good.
 */
export function bridgeTo(
  vfs: Vfs,
  notifier: Notifier,
  options: MountStateOptions,
  backing?: BackingFiles,
): Filesystem {
  const state = new MountState(vfs, notifier, options, backing);
  const unsubscribe = vfs.changes.on((change) => {
    const isOwn = 'by' in change && change.by === state;
    if (!isOwn) state.invalidation.apply(change);
  });
  return {
    killsPrivileges: true,
    passesThrough: backing !== undefined,
    alwaysPlus: vfs.listsAttributes === true,
    ...nameHandlers(state),
    ...fileHandlers(state),
    ...directoryHandlers(state),
    ...attributeHandlers(state),
    ...lockHandlers(state),
    ...extendedAttributeHandlers(state),
    init: (agreed) => state.invalidation.begin(agreed),
    destroy() {
      unsubscribe();
      for (const { handle } of state.files.drain()) {
        void Promise.resolve()
          .then(() => handle.release())
          .catch((cause: unknown) => options.log.warn('A file could not be closed.', { cause }));
      }
    },
  };
}
