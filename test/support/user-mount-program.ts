import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '../../lib/core/index.js';
import { containDrivers } from '../../lib/drivers/index.js';
import { keepSetIdTools, mountEntryAt } from '../../lib/fuse/index.js';
import { kernelBindingWith } from '../../lib/fuse/kernel-binding.js';
import { localSession } from '../../lib/policy/index.js';
import { createBridgeTree } from './bridge-tree.js';

// `user-mount-program DIR READER`: gives up new privileges as `up` does, mounts as the user who runs it, uses the
// mount, unmounts, and prints what it saw.

export interface UserMountReport {
  readonly uid: number;
  readonly caller: { readonly uid: number };
  readonly before: string;
  readonly after: string;
  readonly closed: string;
  readonly left: boolean;
  readonly noNewPrivileges: string;
}

const [dir = '', reader = ''] = process.argv.slice(2);
const session = localSession('admin');
keepSetIdTools();
containDrivers('process', silentLog);
const mount = await kernelBindingWith(reader as 'pipe' | 'thread').mount(createBridgeTree(), {
  dir,
  sessionOf: () => session,
  allowOther: false,
  allowUids: [],
  owner: { uid: process.getuid!(), gid: process.getgid!() },
  log: silentLog,
  fsname: 'acheron-user',
});
const setText = async (text: string): Promise<string> => {
  await writeFile(join(dir, 'set'), `doc ${text}`);
  return readFile(join(dir, 'announced/doc'), 'utf8');
};
const seen = {
  uid: process.getuid!(),
  caller: JSON.parse(await readFile(join(dir, 'caller'), 'utf8')) as { uid: number },
  before: await setText('before'),
  after: await setText('and after'),
};
await mount.unmount();
const { how } = await mount.closed;
const report: UserMountReport = {
  ...seen,
  closed: how,
  left: mountEntryAt(dir) !== undefined,
  noNewPrivileges: execFileSync('sed', ['-n', 's/^NoNewPrivs:\\t//p', '/proc/self/status'], {
    encoding: 'utf8',
  }).trim(),
};
process.stdout.write(JSON.stringify(report));
