import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { supportsAll, vfsSuite } from '../suites/vfs-suite.js';
import { BINDINGS } from '../support/bindings.js';
import { directAccess } from '../support/direct-access.js';
import { kernelAccess } from '../support/kernel-access.js';
import { mountChild } from '../support/mount-child.js';
import { createReferenceTreeWithExport } from '../support/reference-tree.js';

const module = new URL('../support/reference-tree.js', import.meta.url).href;

function realDirectory(t: { teardown(after: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

vfsSuite(
  t,
  'a real directory in the tree, called directly',
  async (t) => {
    const vfs = await createReferenceTreeWithExport(realDirectory(t));
    t.teardown(() => vfs.close());
    return directAccess(vfs);
  },
  { ...supportsAll, modesHoldForRoot: false },
);

for (const { binding, supports } of BINDINGS)
  vfsSuite(
    t,
    `a real directory in the tree, mounted by ${binding}`,
    async (t) => {
      const fixture = { module, name: 'createReferenceTreeWithExport', argument: realDirectory(t) };
      return kernelAccess((await mountChild(t, { fixture, binding })).dir);
    },
    { ...supports, modesHoldForRoot: false },
  );
