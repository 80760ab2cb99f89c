import { closeSync, constants, ftruncateSync, openSync, truncateSync } from 'node:fs';
import { FsError } from '../../core/index.js';
import type {
  AttrChange,
  Awaitable,
  FileHandle,
  FileNode,
  OpenFlags,
  Op,
  SpecialKind,
  Stat,
} from '../../vfs/index.js';
import { ExportHandle } from './export-handle.js';
import { dropSetId, ExportNode } from './export-node.js';
import { isRegular, specialOf, type HostStat } from './host-stat.js';
import { O_SAFE, pathOfFd } from './host-tree.js';

const SET_ID_BITS = 0o6000;

/** A regular file of the host; or a socket, pipe or device, which only the caller's own kernel opens. */
export class ExportFile extends ExportNode implements FileNode {
  readonly kind = 'file';

  /** Descriptors by which the kernel reads and writes it without us. */
  handedOver = 0;
  /** Its mtime when it was made set-id while it was handed over. */
  #setIdAtNs: bigint | undefined;

  override setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    const stat = super.setattr(change, op);
    this.noteSetId(change);
    return stat;
  }

  noteSetId({ mode }: AttrChange): void {
    if (mode === undefined) return;
    this.#setIdAtNs = this.handedOver > 0 && (mode & SET_ID_BITS) !== 0 ? this.seen.mtimeNs : undefined;
  }

  /** `stat` without the set-id bits where the content was changed since, by whom the kernel alone knows. */
  mended(stat: HostStat, fd: number): HostStat {
    if (this.#setIdAtNs === undefined || this.#setIdAtNs === stat.mtimeNs) return stat;
    this.#setIdAtNs = undefined;
    return dropSetId(pathOfFd(fd), stat) ? { ...stat, mode: stat.mode & ~SET_ID_BITS } : stat;
  }

  get special(): SpecialKind | undefined {
    return specialOf(this.seen);
  }

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    if (flags.write || flags.truncate) this.state.checkWritable();
    if (!isRegular(this.seen)) throw special();
    this.state.checkRoom(op);
    return this.state.tree.run(op, () => this.opened(this.#openHost(flags), flags, op));
  }

  /** A handle over `fd`, which is of this file. */
  opened(fd: number, flags: OpenFlags, op: Op): ExportHandle {
    const { tree } = this.state;
    if (flags.truncate)
      closingOnFault(fd, () => {
        if (tree.isRemoteRoot(op)) dropSetId(pathOfFd(fd), tree.stat(fd, ''));
        // What only reads truncates as well, with the right to write: open(2) leaves it open, Linux does it.
        if (flags.write) ftruncateSync(fd, 0);
        else truncateSync(pathOfFd(fd), 0);
        this.seen = tree.stat(fd, '');
      });
    return new ExportHandle(this.state, this, fd, { writable: flags.write, op });
  }

  #openHost(flags: OpenFlags): number {
    const { tree } = this.state;
    const bits = openBits(flags);
    // A file without a name is opened again through a descriptor that is open, as /proc allows.
    if (!this.hasPlace)
      for (const fd of this.openFds) return openSync(pathOfFd(fd), bits & ~constants.O_NOFOLLOW);
    return this.atPlace((dirFd, name) => {
      const fd = tree.open(dirFd, name, bits);
      if (this.is(closingOnFault(fd, () => tree.stat(fd, '')))) return fd;
      closeSync(fd);
      return undefined;
    });
  }
}

/** Truncation waits until the file is known to be the right one. */
export function openBits(flags: OpenFlags): number {
  const direction = !flags.write ? constants.O_RDONLY : flags.read ? constants.O_RDWR : constants.O_WRONLY;
  return direction | (flags.append ? constants.O_APPEND : 0) | O_SAFE;
}

/** Runs `work`; closes `fd` where it throws. */
export function closingOnFault<Result>(fd: number, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    closeSync(fd);
    throw thrown;
  }
}

/** @throws FsError ENXIO, after closing `fd`, unless it is a regular file: others could block, or do things when read */
export function checkRegular(fd: number, stat: HostStat): void {
  if (isRegular(stat)) return;
  closeSync(fd);
  throw special();
}

function special(): FsError {
  return new FsError('ENXIO', 'Sockets, pipes and devices cannot be opened through an export.');
}
