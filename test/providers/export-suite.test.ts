import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeBinding } from '../../lib/fuse/index.js';
import { localSession } from '../../lib/policy/index.js';
import { loadNative } from '../../lib/providers/export/native.js';
import { supportsAll } from '../suites/vfs-suite.js';
import { testWritable } from '../suites/vfs-writable.js';
import { directAccess } from '../support/direct-access.js';
import { createExportTree } from '../support/export-tree.js';
import { kernelAccess } from '../support/kernel-access.js';
import { mountChild } from '../support/mount-child.js';

function realDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'acheron-export-'));
  chmodSync(path, 0o777);
  t.teardown(() => execFileSync('rm', ['-rf', path]));
  return path;
}

// Modes mean nothing to root in a real directory, so the suite runs as somebody else, which takes koffi where root runs it.
const isRoot = process.getuid!() === 0;
const skip = isRoot && loadNative() === null ? 'koffi cannot be loaded here' : false;

t.test('an export keeps the rules for what can be changed', { skip }, async (t) => {
  const vfs = await createExportTree(realDirectory(t));
  t.teardown(() => vfs.close());
  const caller = isRoot ? { uid: 12_345, gid: 12_345, pid: process.pid } : undefined;
  testWritable(t, directAccess(vfs, localSession('admin'), caller), supportsAll);
});

t.test(
  'an export keeps them through a mount',
  { skip: (await nativeBinding.unavailable()) ?? false },
  async (t) => {
    const fixture = {
      module: new URL('../support/export-tree.js', import.meta.url).href,
      name: 'createExportTree',
      argument: realDirectory(t),
    };
    const { dir } = await mountChild(t, { fixture, binding: 'fuse-native' });
    testWritable(t, kernelAccess(dir), {
      ...supportsAll,
      renameFlags: false,
      statPerDescriptor: false,
      orphans: false,
      modesHoldForRoot: !isRoot,
    });
  },
);
