import { closeSync } from 'node:fs';
import type { Call } from './call.js';
import { BackingFiles } from './backing-files.js';
import { Device } from './device.js';
import type { Filesystem } from './filesystem.js';
import { MountError, mountDevice, unmountDevice } from './mount-device.js';
import type { NegotiatedInit } from './negotiate.js';
import { Notifier } from './notifier.js';
import { hasPipeReader, pipeReader } from './pipe-reader.js';
import type { Reader, ReaderKind } from './reader.js';
import { KernelConnection } from './kernel-connection.js';
import { threadReader } from './thread-reader.js';

export interface ServeOptions {
  /** What mountinfo shows as the source. */
  readonly fsname?: string;
  /** The filesystem's type is `fuse.` and this. */
  readonly subtype?: string;
  readonly allowOther?: boolean;
  readonly readOnly?: boolean;
  /** How requests are read; the fastest that works unless given. */
  readonly reader?: ReaderKind;
  /** As in `ConnectionOptions`. */
  readonly onFault?: (fault: unknown, call: Call) => number | void;
  /** What `Call.signal` aborts with. */
  readonly abortReason?: () => unknown;
  readonly device?: string;
}

/** A mounted filesystem. */
export interface Served {
  readonly dir: string;
  /** What mountinfo shows as the source. */
  readonly fsname: string;
  readonly reader: ReaderKind;
  readonly agreed: NegotiatedInit;
  readonly notifier: Notifier;
  readonly backing: BackingFiles;
  /** Requests that are not answered yet. */
  readonly pending: number;
  /** Settles when the mount is gone, with what went wrong if anything did. Never rejects. */
  readonly closed: Promise<Error | undefined>;
  /** Unmounts, lazily where it is in use. Idempotent; answers when `closed` has. */
  unmount(): Promise<void>;
  /**
   * Stops serving a mount that was taken off: pending calls are abandoned, and files
   * that are still open in it give ENOTCONN.
   */
  end(): Promise<void>;
}

/** How long a reader may take to bring the kernel's first request, before another is tried. */
const SELF_TEST_MS = 2000;
/** Loading a foreign function interface takes some ten milliseconds, which nobody who starts us shall wait for. */
const SPEED_UP_MS = 100;
/** How long those who still have files open after a lazy unmount may take to close them. */
const LEAVE_MS = 300;

/** A filesystem, or what makes one that notifies the kernel of changes, or hands files over to it. */
export type FilesystemSource = Filesystem | ((notifier: Notifier, backing: BackingFiles) => Filesystem);

/**
 * Mounts `fs` on the directory `dir` and serves it; answers when the kernel and it have agreed.
 * @throws MountError as `mountDevice`; EPROTO where the kernel is too old; EIO where no reader works.
 */
export async function serve(fs: FilesystemSource, dir: string, options: ServeOptions = {}): Promise<Served> {
  if ((options.reader ?? 'pipe') === 'pipe' && hasPipeReader()) {
    const served = await serveWith(pipeReader, fs, dir, options);
    if (served !== undefined) return served;
  }
  if (options.reader === 'pipe')
    throw new MountError('EIO', 'This Node cannot read /dev/fuse by a pipe handle.');
  const served = await serveWith(threadReader, fs, dir, options);
  if (served === undefined) throw new MountError('EIO', 'The kernel sends no requests.');
  return served;
}

/** @returns undefined, and leaves nothing mounted, when the reader brings no INIT. */
async function serveWith(
  readerOf: (fd: number) => Reader,
  fs: FilesystemSource,
  dir: string,
  options: ServeOptions,
): Promise<Served | undefined> {
  const fd = await mountDevice(dir, {
    fsname: options.fsname ?? 'node',
    subtype: options.subtype ?? 'node',
    ...(options.allowOther === undefined ? {} : { allowOther: options.allowOther }),
    ...(options.readOnly === undefined ? {} : { readOnly: options.readOnly }),
    ...(options.device === undefined ? {} : { device: options.device }),
  });
  const giveUp = async (): Promise<void> => {
    closeSync(fd);
    await unmountDevice(dir);
  };
  let reader: Reader;
  try {
    reader = readerOf(fd);
  } catch {
    // This kind of reader cannot be had here: the caller takes another.
    await giveUp();
    return undefined;
  }
  const device = new Device(fd);
  const notifier = new Notifier(device);
  const backing = new BackingFiles(device);
  let session: KernelConnection;
  try {
    const filesystem = typeof fs === 'function' ? fs(notifier, backing) : fs;
    session = new KernelConnection(filesystem, device, { ...options, bufferBytes: reader.bufferBytes });
  } catch (thrown) {
    await giveUp();
    throw thrown;
  }
  const closed = reader.start(
    (bytes, length) => session.dispatch(bytes, length),
    async () => {
      device.close();
      session.end();
      await notifier.close();
    },
  );
  const end = async (): Promise<void> => {
    session.abandonAll();
    // A notification may wait for a lock that a caller holds: as long as it does, callers are answered.
    const timer = setTimeout(() => void notifier.close().then(() => reader.stop()), LEAVE_MS);
    await closed;
    clearTimeout(timer);
  };
  const leave = async (): Promise<void> => {
    await unmountDevice(dir).catch(() => undefined);
    await end();
  };
  if (!(await firstRequest(session, closed))) {
    await leave();
    return undefined;
  }
  const { agreed } = session;
  if (agreed === undefined) {
    await leave();
    throw new MountError('EPROTO', 'The kernel speaks an older FUSE than 7.31 (Linux 5.4).');
  }
  backing.begin(agreed);
  let gone = false;
  const speedUp = setTimeout(() => void useSystemCalls(device, reader), SPEED_UP_MS).unref();
  void closed.then(() => {
    gone = true;
    clearTimeout(speedUp);
  });
  let leaving: Promise<void> | undefined;
  return {
    dir,
    fsname: options.fsname ?? 'node',
    reader: reader.kind,
    agreed,
    notifier,
    backing,
    closed,
    get pending() {
      return session.pending;
    },
    end,
    unmount: () => (leaving ??= gone ? Promise.resolve() : leave()),
  };
}

/** Waits for INIT; false when it does not come in time. */
async function firstRequest(session: KernelConnection, closed: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), SELF_TEST_MS);
  });
  const came = await Promise.race([session.initialized.then(() => true), closed.then(() => true), late]);
  clearTimeout(timer);
  return came;
}

/** Where this Node loads no addons, or none was installed, all goes on as it began. */
async function useSystemCalls(device: Device, reader: Reader): Promise<void> {
  const loaded = await import('./system-calls.js').catch(() => undefined);
  if (loaded === undefined) return;
  device.use(loaded.systemCalls);
  reader.use?.(loaded.systemCalls);
}
