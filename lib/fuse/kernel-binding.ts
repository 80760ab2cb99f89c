import { FsError } from '../core/index.js';
import { isErrnoCode } from '../linux/index.js';
import type { Vfs } from '../vfs/index.js';
import { abortAtExit } from './mounting/abort-connection.js';
import type { CloseReason, FuseBinding, Mount, MountOptions } from './binding.js';
import {
  type FilesystemSource,
  MountError,
  type NoBacking,
  type ReaderKind,
  serve,
  type Served,
} from './kernel/index.js';
import { bridgeTo } from './vfs-bridge/bridge.js';
import { errnoFromThrown } from './vfs-bridge/translate.js';
import { fuseDeviceRefusal, programOnPath } from './mounting/fuse-device.js';
import { ACHERON_FS_TYPE, mountEntryAt, readMountEntries, type MountEntry } from './mounting/mountinfo.js';
import { prepareMountpoint } from './mounting/mountpoint.js';
import { detach, isMounted } from './mounting/unmount.js';

/** The binding of our own: /dev/fuse, spoken in TypeScript. Linux only. */
export const kernelBinding: FuseBinding = kernelBindingWith();

/** With a way of reading that is not chosen by itself, for tests and measurements. */
export function kernelBindingWith(reader?: ReaderKind): FuseBinding {
  return {
    name: 'kernel',
    offers: {
      interruption: true,
      invalidation: true,
      callerIdentity: true,
      perOpenFlags: true,
      parallelWrites: true,
    },
    async unavailable() {
      return unavailable();
    },
    async mount(vfs, options) {
      const reason = unavailable();
      if (reason !== null) throw new FsError('ENODEV', 'FUSE cannot be used here.', { hint: reason });
      const prepared = await prepareMountpoint(options.dir);
      if (prepared.state === 'mounted') {
        throw new FsError('EBUSY', `${prepared.dir} is mounted already.`, {
          path: prepared.dir,
          hint: `To mount it anew: acheron unmount ${prepared.dir}`,
        });
      }
      const before = new Set(readMountEntries().map(({ id }) => id));
      const served = await serveVfs(vfs, prepared.dir, options, reader);
      await requireInPlace(served, before);
      return new KernelMount(served, options);
    },
  };
}

function unavailable(): string | null {
  if (process.platform !== 'linux') return 'This binding speaks to Linux alone; use fuse-native.';
  const refused = fuseDeviceRefusal();
  if (refused !== null) return refused;
  if (process.getuid?.() === 0 || programOnPath('fusermount3') !== null) return null;
  return 'fusermount3, by which ordinary users mount, is not on PATH. As root: apt-get install fuse3.';
}

async function serveVfs(vfs: Vfs, dir: string, options: MountOptions, reader?: ReaderKind): Promise<Served> {
  const { allowOther, allowUids, owner, log } = options;
  const bridgeOptions = {
    sessionOf: options.sessionOf,
    owner,
    allowedUids: allowOther ? new Set([owner.uid, ...allowUids]) : null,
    remoteUids: options.remoteUids,
    linkRule: options.linkRule,
    log,
  };
  const bridge: FilesystemSource = (notifier, backing) =>
    bridgeTo(vfs, notifier, bridgeOptions, options.handsOver === true ? backing : undefined);
  try {
    return await serve(bridge, dir, {
      fsname: options.fsname.replace(/[^A-Za-z0-9._:@/+-]/g, '_'),
      subtype: ACHERON_FS_TYPE.slice('fuse.'.length),
      allowOther,
      readOnly: options.readOnly === true,
      ...(reader === undefined ? {} : { reader }),
      abortReason: () => new FsError('ECANCELED', 'The caller gave up.'),
      onFault(fault) {
        if (!FsError.is(fault) && !isErrnoCode((fault as { code?: unknown } | null | undefined)?.code))
          log.error('A request failed unexpectedly.', { fault });
        return errnoFromThrown(fault);
      },
    });
  } catch (thrown) {
    if (!(thrown instanceof MountError)) throw thrown;
    throw new FsError(
      isErrnoCode(thrown.code) ? thrown.code : 'EIO',
      `Mounting on ${dir} failed: ${thrown.message}`,
      {
        path: dir,
        hint: 'acheron doctor shows what is missing.',
        cause: thrown,
      },
    );
  }
}

/**
 * A user who may write above the directory can put a symbolic link in its place while it is mounted on: a mount
 * that has gone elsewhere is taken off again.
 * @throws FsError EACCES
 */
async function requireInPlace(served: Served, before: ReadonlySet<number>): Promise<void> {
  const made = readMountEntries().filter(({ id, fsType }) => fsType === ACHERON_FS_TYPE && !before.has(id));
  if (made.some(({ mountPoint }) => mountPoint === served.dir)) return;
  const strayed = made.find(({ source }) => source === served.fsname);
  if (strayed === undefined) return; // it was unmounted at once
  await detach(strayed.mountPoint, 'lazily', strayed);
  await served.end();
  throw new FsError('EACCES', `${served.dir} was replaced while it was mounted on.`, {
    path: served.dir,
    hint: 'Another user may change the directories above it. Choose one that is yours alone.',
  });
}

const WHY_THROUGH_US: Readonly<Record<NonNullable<NoBacking>, string>> = {
  unasked: 'nobody asked for it',
  'kernel too old': 'the kernel offers no FUSE passthrough, which came with Linux 6.9',
  'not loaded': 'the koffi package is not loaded',
  'not permitted': 'only root may have it',
};

class KernelMount implements Mount {
  readonly binding = 'kernel';
  readonly dir: string;
  readonly closed: Promise<CloseReason>;
  readonly #served: Served;
  readonly #handsOver: boolean;
  readonly #entry: MountEntry | undefined;
  #unmounting: Promise<void> | undefined;

  constructor(served: Served, options: MountOptions) {
    this.dir = served.dir;
    this.#served = served;
    this.#handsOver = options.handsOver === true;
    this.#entry = mountEntryAt(served.dir);
    const ended = this.#entry === undefined ? undefined : abortAtExit(this.#entry);
    options.log.debug('Mounted.', { dir: served.dir, reader: served.reader, minor: served.agreed.minor });
    this.closed = served.closed.then((error): CloseReason => {
      ended?.();
      if (error !== undefined) return { how: 'failed', error: FsError.from(error) };
      return { how: this.#unmounting === undefined ? 'outside' : 'unmounted' };
    });
  }

  get whyThroughUs(): string | null {
    if (!this.#handsOver) return 'it is for admins of the node itself alone';
    const { why } = this.#served.backing;
    return why === null ? null : WHY_THROUGH_US[why];
  }

  unmount(): Promise<void> {
    return (this.#unmounting ??= this.#unmount());
  }

  async #unmount(): Promise<void> {
    if (
      this.#entry !== undefined &&
      isMounted(this.#entry) &&
      !(await detach(this.dir, 'plainly', this.#entry))
    )
      await detach(this.dir, 'lazily', this.#entry);
    await this.#served.end();
    await this.closed;
  }
}
