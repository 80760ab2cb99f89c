import { execFileSync } from 'node:child_process';
import { chmodSync, statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDir, type Teardown } from './test-node.js';

/** Why there are no disks of their own here; false where there are. */
export const noSmallDisks = process.getuid?.() === 0 ? false : 'a disk of its own needs root';

const CHUNK = Buffer.alloc(1024 * 1024, 1);

/** A file system of few MiB, which can be filled to its last byte. */
export class SmallDisk {
  readonly dir: string;
  readonly #ballast: string;

  constructor(t: Teardown, mib: number) {
    this.dir = temporaryDir(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=755`, 'acheron-test', this.dir]);
    t.teardown(() => execFileSync('umount', ['-l', this.dir]));
    chmodSync(this.dir, 0o755);
    this.#ballast = join(this.dir, 'ballast');
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.dir);
    return bavail * bsize;
  }

  /** Takes all that is left. */
  async fill(): Promise<void> {
    const file = await open(this.#ballast, 'a');
    try {
      for (let size = CHUNK.length; size >= 512;) {
        try {
          await file.write(CHUNK, 0, size);
        } catch (thrown) {
          if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC') throw thrown;
          size >>= 1;
        }
      }
    } finally {
      await file.close();
    }
  }

  async free(): Promise<void> {
    await rm(this.#ballast, { force: true });
  }
}
