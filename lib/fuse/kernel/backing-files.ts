import { EPERM } from './errno.js';
import { FUSE_DEV_IOC_BACKING_CLOSE, FUSE_DEV_IOC_BACKING_OPEN, INIT_FLAGS } from './constants.js';
import type { Device } from './device.js';
import type { NegotiatedInit } from './negotiate.js';
import { fuse_backing_map } from './structs.js';

/** Why files are not handed to the kernel; null where they are. */
export type NoBacking = 'unasked' | 'kernel too old' | 'not loaded' | 'not permitted' | null;

/**
 * Files that the kernel reads and writes by itself (FUSE passthrough, Linux 6.9): one is handed to it by an open
 * descriptor, and named in the answers to OPEN and CREATE by the number that it gets. It goes on with that file, with
 * the rights of this process, until the last descriptor of the mount is closed, even when this process has died.
 */
export class BackingFiles {
  readonly #device: Device;
  readonly #map = Buffer.alloc(fuse_backing_map.byteLength);
  readonly #id = Buffer.alloc(4);
  #agreed: NegotiatedInit | undefined;
  #refused = false;

  constructor(device: Device) {
    this.#device = device;
  }

  begin(agreed: NegotiatedInit): void {
    this.#agreed = agreed;
  }

  /** Why none can be handed over, as of now. */
  get why(): NoBacking {
    if (this.#agreed === undefined) return 'unasked';
    if ((this.#agreed.flags & INIT_FLAGS.FUSE_PASSTHROUGH) === 0n) return 'kernel too old';
    if (this.#refused) return 'not permitted';
    return this.#device.hasCalls ? null : 'not loaded';
  }

  /**
   * The number for the file that `fd` has open, which may be closed then; undefined where it cannot be: its filesystem is
   * itself stacked on another (ELOOP), or this process may not (EPERM), which is not tried again.
   */
  open(fd: number): number | undefined {
    if (this.why !== null) return undefined;
    this.#map.writeInt32LE(fd, fuse_backing_map.at.fd);
    const id = this.#device.ioctl(FUSE_DEV_IOC_BACKING_OPEN, this.#map);
    if (id === -EPERM) this.#refused = true;
    return id === undefined || id <= 0 ? undefined : id;
  }

  /** No later answer names `id`. */
  close(id: number): void {
    this.#id.writeInt32LE(id, 0);
    this.#device.ioctl(FUSE_DEV_IOC_BACKING_CLOSE, this.#id);
  }
}
