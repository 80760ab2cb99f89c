import { FsError, reasonOf } from '../../core/index.js';
import type { Vfs } from '../../vfs/index.js';
import type { CloseReason, FuseBinding, Mount, MountOptions } from '../binding.js';
import { closeFuseOnExec } from '../mounting/close-on-exec.js';
import { fuseDeviceRefusal } from '../mounting/fuse-device.js';
import { ACHERON_FS_TYPE, mountEntryAt, type MountEntry } from '../mounting/mountinfo.js';
import { prepareMountpoint } from '../mounting/mountpoint.js';
import { NativeHandlers } from './native-handlers.js';
import { loadFuseNative, type NativeFuse } from './native-library.js';
import { repairFuse } from './native-repairs.js';
import { detach, isMounted, watchMount } from '../mounting/unmount.js';

/**
 * The portable binding: the npm package fuse-native (libfuse 2.9). It knows neither the caller nor when a caller
 * gives up, keeps no caches and treats every file as direct; what libfuse keeps to itself is listed at
 * `NativeHandlers`. It works in the main thread alone.
 */
export const nativeBinding: FuseBinding = {
  name: 'fuse-native',
  offers: {
    interruption: false,
    invalidation: false,
    callerIdentity: false,
    perOpenFlags: false,
    parallelWrites: false,
  },

  async unavailable() {
    const refused = process.platform === 'linux' ? fuseDeviceRefusal() : null;
    if (refused !== null) return refused;
    try {
      loadFuseNative();
      return null;
    } catch (thrown) {
      return FsError.from(thrown).sentence;
    }
  },

  async mount(vfs, options) {
    if (options.allowOther) {
      throw new FsError('EOPNOTSUPP', 'fuse-native does not know who calls, so it lets no other users in.', {
        hint: 'Use --fuse-binding kernel with --allow-other.',
      });
    }
    const reason = await nativeBinding.unavailable();
    if (reason !== null) throw new FsError('ENODEV', 'fuse-native cannot mount here.', { hint: reason });
    const prepared = await prepareMountpoint(options.dir);
    if (prepared.state === 'mounted') {
      throw new FsError('EBUSY', `${prepared.dir} is mounted already.`, {
        path: prepared.dir,
        hint: `To mount it anew: acheron unmount ${prepared.dir}`,
      });
    }
    return mountNative(vfs, prepared.dir, options);
  },
};

async function mountNative(vfs: Vfs, dir: string, options: MountOptions): Promise<Mount> {
  const Fuse = loadFuseNative();
  const handlers = new NativeHandlers(vfs, options);
  const fuse = new Fuse(dir, handlers, {
    // fuse-native has no option for the last three; they ride along. The inode numbers are the tree's own.
    fsname: `${options.fsname.replace(/[^A-Za-z0-9._:@/-]/g, '_')},big_writes,direct_io,use_ino${options.readOnly === true ? ',ro' : ''}`,
    subtype: ACHERON_FS_TYPE.slice('fuse.'.length),
    // A number would be dropped where it is 0.
    attrTimeout: '0',
    entryTimeout: '0',
    // NativeRequests keeps the time.
    timeout: false,
  });
  repairFuse(fuse, handlers);
  try {
    await new Promise<void>((resolve, reject) =>
      fuse.mount((error) => (error === null ? resolve() : reject(error))),
    );
  } catch (thrown) {
    const left = mountEntryAt(dir);
    if (left?.fsType === ACHERON_FS_TYPE) await detach(dir, 'lazily', left);
    throw new FsError('EIO', `Mounting on ${dir} failed: ${reasonOf(thrown)}.`, {
      path: dir,
      hint: 'acheron doctor shows what is missing.',
      cause: thrown,
    });
  }
  closeFuseOnExec(options.log);
  const entry = mountEntryAt(dir);
  return new NativeMount(dir, entry, fuse, handlers);
}

class NativeMount implements Mount {
  readonly binding = 'fuse-native';
  readonly whyThroughUs = 'the fuse-native binding cannot';
  readonly closed: Promise<CloseReason>;
  readonly dir: string;
  readonly #entry: MountEntry | undefined;
  readonly #fuse: NativeFuse;
  readonly #handlers: NativeHandlers;
  readonly #stopWatching: () => void;
  #close!: (reason: CloseReason) => void;
  #unmounting: Promise<void> | undefined;

  constructor(dir: string, entry: MountEntry | undefined, fuse: NativeFuse, handlers: NativeHandlers) {
    this.dir = dir;
    this.#entry = entry;
    this.#fuse = fuse;
    this.#handlers = handlers;
    this.closed = new Promise((resolve) => (this.#close = resolve));
    this.#stopWatching = entry === undefined ? () => undefined : watchMount(entry, () => this.#gone());
  }

  unmount(): Promise<void> {
    return (this.#unmounting ??= this.#unmount());
  }

  async #unmount(): Promise<void> {
    this.#stopWatching();
    if (this.#entry === undefined || isMounted(this.#entry)) {
      // Where it is in use, pending calls are sent away first.
      if (!(await detach(this.dir, 'plainly', this.#entry))) {
        this.#handlers.requests.end();
        await detach(this.dir, 'lazily', this.#entry);
      }
    }
    await this.#end({ how: 'unmounted' });
  }

  #gone(): void {
    this.#unmounting ??= this.#end({ how: 'outside' });
  }

  /** Lets the process end. Descriptors that are still open after a lazy unmount are served on until then. */
  async #end(reason: CloseReason): Promise<void> {
    const failure = await new Promise<Error | null>((resolve) => this.#fuse.unmount(resolve));
    this.#close(failure === null ? reason : { how: 'failed', error: FsError.from(failure) });
  }
}
