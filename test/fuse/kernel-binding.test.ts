import t from 'tap';
import { supportsAll, vfsSuite } from '../suites/vfs-suite.js';
import { kernelAccess } from '../support/kernel-access.js';
import { mountChild, referenceFixture } from '../support/mount-child.js';

vfsSuite(
  t,
  'a tree, mounted by the kernel binding',
  async (t) => {
    const child = await mountChild(t, { fixture: referenceFixture, binding: 'kernel' });
    return kernelAccess(child.dir);
  },
  supportsAll,
);
