import t from 'tap';
import { supportsAll, vfsSuite } from '../suites/vfs-suite.js';
import { kernelAccess } from '../support/kernel-access.js';
import { mountChild, referenceFixture } from '../support/mount-child.js';

vfsSuite(
  t,
  'a tree, mounted by fuse-native',
  async (t) => {
    const child = await mountChild(t, { fixture: referenceFixture, binding: 'fuse-native' });
    return kernelAccess(child.dir);
  },
  // libfuse 2 speaks in paths: it has no renameat2, and knows not which descriptor fstat(2) means.
  { ...supportsAll, renameFlags: false, statPerDescriptor: false, orphans: false },
);
