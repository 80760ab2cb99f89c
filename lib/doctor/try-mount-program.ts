import { execa } from 'execa';
import { join } from 'node:path';
import { Emitter, FsError, silentLog } from '../core/index.js';
import { chooseBinding, type BindingName } from '../fuse/index.js';
import { localSession } from '../policy/index.js';
import { Document, MapDir, type Change } from '../vfs/index.js';

// `try-mount-program BINDING DIR`: mounts a tree of one file, lets another program read it, unmounts, and tells.

/** What it says on standard output. */
export interface TryMountReport {
  readonly failure: { readonly message: string; readonly hint: string | null } | null;
}

const TEXT = 'It works.\n';

async function tryMount(name: BindingName, dir: string): Promise<void> {
  const session = localSession('admin');
  const file = new Document(() => ({ bytes: Buffer.from(TEXT), mtimeNs: 0n }));
  const changes = new Emitter<Change>();
  const tree = { root: new MapDir(new Map([['file', file]])), changes, close: async () => undefined };
  const binding = await chooseBinding(name);
  const mount = await binding.mount(tree, {
    dir,
    sessionOf: () => session,
    allowOther: false,
    allowUids: [],
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    log: silentLog,
    fsname: 'acheron-doctor',
  });
  try {
    const { stdout } = await execa('cat', [join(dir, 'file')], { stripFinalNewline: false, timeout: 5000 });
    if (stdout !== TEXT) throw new FsError('EIO', 'A file in the mount showed something else than it holds.');
  } finally {
    await mount.unmount();
  }
}

const [name = '', dir = ''] = process.argv.slice(2);
const report: TryMountReport = await tryMount(name as BindingName, dir).then(
  () => ({ failure: null }),
  (thrown: unknown) => {
    const { message, hint = null } = FsError.from(thrown);
    return { failure: { message, hint } };
  },
);
process.stdout.write(JSON.stringify(report));
