import { execa } from 'execa';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Emitter, FsError, silentLog } from '../core/index.js';
import { chooseBinding, type BindingName, type Mount } from '../fuse/index.js';
import { localSession } from '../policy/index.js';
import { Document, MapDir, type Change, type Node } from '../vfs/index.js';
import { HostFile } from './host-file.js';

/** A read of a mount that works is answered in no time; one of a mount that hangs, never. */
const READ_MS = 5_000;

// `try-mount-program BINDING DIR`: mounts a tree of one file, lets another program read it, unmounts, and reports.

/** What it says on standard output. */
export interface TryMountReport {
  readonly failure: { readonly message: string; readonly hint: string | null } | null;
  /** Why the kernel would not read and write files of exports by itself; null where it would. */
  readonly whyThroughUs: string | null;
}

/** What hands files over is loaded within this time. */
const LOAD_MS = 2000;
const TEXT = 'It works.\n';

async function tryMount(name: BindingName, dir: string): Promise<string | null> {
  const session = localSession('admin');
  const host = new HostFile(import.meta.filename);
  const file = new Document(() => ({ bytes: Buffer.from(TEXT), mtimeNs: 0n }));
  const changes = new Emitter<Change>();
  const tree = {
    root: new MapDir(
      new Map<string, Node>([
        ['file', file],
        ['host', host],
      ]),
    ),
    changes,
    close: async () => undefined,
  };
  const binding = await chooseBinding(name);
  const mount = await binding.mount(tree, {
    dir,
    sessionOf: () => session,
    allowOther: false,
    allowUids: [],
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    handsOver: true,
    log: silentLog,
    fsname: 'acheron-doctor',
  });
  try {
    const { stdout } = await execa('cat', [join(dir, 'file')], {
      stripFinalNewline: false,
      timeout: READ_MS,
    });
    if (stdout !== TEXT) throw new FsError('EIO', 'A file in the mount showed something else than it holds.');
    return await whyThroughUs(mount, join(dir, 'host'));
  } finally {
    await mount.unmount();
    host.close();
  }
}

/** Files are handed over from a moment after the start on; only one that is shows whether it is permitted. */
async function whyThroughUs(mount: Mount, path: string): Promise<string | null> {
  const lateMs = Date.now() + LOAD_MS;
  const before = mount.whyThroughUs;
  while (mount.whyThroughUs === before && before !== null && Date.now() < lateMs) await setTimeout(20);
  await execa('cat', [path], { timeout: READ_MS });
  return mount.whyThroughUs;
}

const [name = '', dir = ''] = process.argv.slice(2);
const report: TryMountReport = await tryMount(name as BindingName, dir).then(
  (whyThroughUs) => ({ failure: null, whyThroughUs }),
  (thrown: unknown) => {
    const { message, hint = null } = FsError.from(thrown);
    return { failure: { message, hint }, whyThroughUs: null };
  },
);
process.stdout.write(JSON.stringify(report));
