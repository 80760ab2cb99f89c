import type { BindingName } from '../../lib/fuse/index.js';
import { supportsAll, type VfsSupports } from '../suites/vfs-suite.js';

/** The bindings that tests run on, with what each can do. */
export const BINDINGS: readonly { readonly binding: BindingName; readonly supports: VfsSupports }[] = [
  {
    binding: 'fuse-native',
    // libfuse 2 speaks in paths: it has no renameat2, and knows not which descriptor fstat(2) means.
    supports: { ...supportsAll, renameFlags: false, statPerDescriptor: false, orphans: false },
  },
  { binding: 'kernel', supports: supportsAll },
];
