import type { FileHandle, Op } from '../../vfs/index.js';
import { FOPEN_DIRECT_IO, FOPEN_PASSTHROUGH, type BackingFiles } from '../kernel/index.js';
import type { NodeRef } from './inode-table.js';
import type { Owner } from './translate.js';

/**
 * Hands files over to the kernel (FUSE passthrough). An inode is open one way at a time: the first descriptor decides.
 * What is handed over cannot be taken back, so only the mount's own user has it so, as an admin whose rights are for good.
 */
export class Passthrough {
  readonly #files: BackingFiles | undefined;
  readonly #owner: Owner;

  /** `files` undefined: nothing is handed over. */
  constructor(files: BackingFiles | undefined, owner: Owner) {
    this.#files = files;
    this.#owner = owner;
  }

  /**
   * The flags for an open of `ref` by `handle`, which is not among its files yet; 0 where the kernel has nothing of
   * it. Where others have it open so, the kernel wants the flag for all: a caller that may not have the file itself is
   * then served by us without a cache, for which FOPEN_DIRECT_IO stands beside it.
   */
  flagsFor(ref: NodeRef, handle: FileHandle, op: Op): number {
    const files = this.#files;
    if (files === undefined) return 0;
    const { backing } = ref;
    if (backing !== undefined) {
      backing.opens += 1;
      const isOver = this.#isForGood(op) && handle.handOver?.(() => true, true) === true;
      return isOver ? FOPEN_PASSTHROUGH : FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO;
    }
    if (handle.handOver === undefined || ref.inUse || files.why !== null || !this.#isForGood(op)) return 0;
    const isOver = handle.handOver((fd) => {
      const id = files.open(fd);
      if (id !== undefined) ref.backing = { id, opens: 1 };
      return id !== undefined;
    }, false);
    return isOver ? FOPEN_PASSTHROUGH : 0;
  }

  #isForGood({ session, caller }: Op): boolean {
    return caller?.uid === this.#owner.uid && session.role === 'admin' && !session.revoked;
  }

  /** A descriptor with such flags is closed. */
  released(ref: NodeRef): void {
    const { backing } = ref;
    if (backing === undefined || (backing.opens -= 1) > 0) return;
    ref.backing = undefined;
    this.#files?.close(backing.id);
  }
}
