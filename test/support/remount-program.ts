import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '../../lib/core/index.js';
import { kernelBindingWith } from '../../lib/fuse/kernel-binding.js';
import { localSession } from '../../lib/policy/index.js';
import { createBridgeTree } from './bridge-tree.js';
import { heapBytes } from './garbage.js';

// `remount-program DIR READER TIMES`: mounts, looks, unmounts, and prints what it holds after a few times and
// after all.

/** What a process holds. */
export interface Held {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

const WARM = 20;
const [dir = '', reader = '', times = ''] = process.argv.slice(2);
const session = localSession('admin');
const held: Held[] = [];

for (let round = 0; round < WARM + Number(times); round++) {
  const vfs = createBridgeTree();
  const mount = await kernelBindingWith(reader as 'pipe' | 'thread').mount(vfs, {
    dir,
    sessionOf: () => session,
    allowOther: false,
    allowUids: [],
    owner: { uid: 0, gid: 0 },
    log: silentLog,
    fsname: 'acheron-remount',
  });
  if ((await readFile(join(dir, 'gone'), 'utf8')) !== '0\n')
    throw new Error('The mount shows something else.');
  await mount.unmount();
  await vfs.close();
  if (round === WARM - 1) held.push(whatIsHeld());
}
held.push(whatIsHeld());
process.stdout.write(JSON.stringify(held));

function whatIsHeld(): Held {
  return {
    heapBytes: heapBytes(),
    rssBytes: process.memoryUsage.rss(),
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
  };
}
