import { FsError } from '../../core/index.js';
import { isDirectory, type HostStat } from './host-stat.js';
import { isKernelType, readMounts } from './mount-table.js';

export function beyondBorder(): FsError {
  return new FsError('EXDEV', 'Something else is mounted here, where the export ends.', {
    hint: 'The admin of the machine may export it with :xdev, or by itself. /proc, /sys and /dev are never shown.',
  });
}

/**
 * Where an export ends: at what is mounted below it, unless it crosses mount points; and always at `/proc`, `/sys` and
 * the like. The mount decides, so that a bind mount of the same filesystem counts; where mounts are unknown, for lack of
 * koffi or by the kernel, the device of directories alone.
 */
export class MountBorder {
  readonly #root: HostStat;
  readonly #crosses: boolean;
  /** Other mounts that were met. */
  readonly #known = new Map<number, boolean>();

  constructor(root: HostStat, crosses: boolean) {
    this.#root = root;
    this.#crosses = crosses;
  }

  /** @throws FsError EXDEV */
  check(stat: HostStat): void {
    if (this.isBeyond(stat)) throw beyondBorder();
  }

  isBeyond(stat: HostStat): boolean {
    if (stat.mountId === this.#root.mountId) {
      return stat.mountId === 0 && stat.dev !== this.#root.dev && isDirectory(stat) && !this.#crosses;
    }
    if (!this.#crosses) return true;
    let beyond = this.#known.get(stat.mountId);
    if (beyond === undefined) {
      const mount = readMounts().get(stat.mountId);
      beyond = mount === undefined || isKernelType(mount.fsType);
      this.#known.set(stat.mountId, beyond);
    }
    return beyond;
  }
}
