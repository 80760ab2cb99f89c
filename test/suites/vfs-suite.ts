import type { Test } from 'tap';
import type { Access } from '../support/access.js';
import { testControls } from './vfs-controls.js';
import { testDirectories } from './vfs-directories.js';
import { testDocuments } from './vfs-documents.js';
import { testNames } from './vfs-names.js';
import { testStreams } from './vfs-streams.js';
import { testWritable } from './vfs-writable.js';

/** What the way to the tree can do; what it cannot is not tested. */
export interface VfsSupports {
  /** `/work` can be changed, as in an export. */
  readonly writable: boolean;
  readonly hardLinks: boolean;
  readonly xattrs: boolean;
  /** renameat2's flags. */
  readonly renameFlags: boolean;
  /** stat distinguishes descriptors of one file that show different snapshots. */
  readonly statPerDescriptor: boolean;
  /** A directory can be removed while a file that was in it is open, and that file is still served. */
  readonly orphans: boolean;
  /** Modes in `/work` hold for root too; an export's are the kernel's, which lets root pass. */
  readonly modesHoldForRoot: boolean;
}

/**
 * The rules that hold for every tree and on every way to one (SPEC, section 1), tried on `createReferenceTree`.
 * `factory` gives access to a fresh one and cleans up by itself (`t.teardown`).
 */
export function vfsSuite(
  t: Test,
  name: string,
  factory: (t: Test) => Access | Promise<Access>,
  supports: VfsSupports,
): void {
  t.test(name, async (t) => {
    const access = await factory(t);
    testDocuments(t, access, supports);
    testNames(t, access);
    testDirectories(t, access);
    testStreams(t, access);
    testControls(t, access);
    if (supports.writable) testWritable(t, access, supports);
  });
}

/** A tree itself, and a way that loses nothing. */
export const supportsAll: VfsSupports = {
  writable: true,
  hardLinks: true,
  xattrs: true,
  renameFlags: true,
  statPerDescriptor: true,
  orphans: true,
  modesHoldForRoot: true,
};
