import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { FsError, type Log } from '../core/index.js';

const DEFAULT_BYTES = 2 * 1024 * 1024;
/** The reserve takes no more than this part of what is free. */
const SHARE = 1 / 8;
const STEP_BYTES = 64 * 1024;
const REFILL_MS = 5000;

export interface ReserveOptions {
  readonly log: Log;
  /** How much is held where the disk has it to spare. */
  readonly bytes?: number;
}

/**
 * Space that is held in a file, for what must be written though the disk is full: how a call ended, that a job is
 * removed, who did it. `use` gives it away in steps; it is taken again once there is space.
 */
export class DiskReserve {
  readonly path: string;
  readonly #log: Log;
  readonly #fd: number;
  readonly #wanted: number;
  #held: number;
  #isReported = false;
  #refilling: NodeJS.Timeout | null = null;

  /** A disk without space to spare holds less, or nothing. @throws FsError when the file cannot be opened */
  constructor(path: string, { log, bytes = DEFAULT_BYTES }: ReserveOptions) {
    this.path = path;
    this.#log = log;
    try {
      this.#fd = openSync(path, 'a', 0o600);
    } catch (thrown) {
      throw FsError.from(thrown);
    }
    this.#held = fstatSync(this.#fd).size;
    this.#wanted = Math.min(bytes, wholePages((this.#freeBytes() + this.#held) * SHARE));
    if (this.#held > this.#wanted) this.#cutTo(this.#wanted);
    this.#refill();
  }

  /** Whether the disk has less left than is held here. */
  isShort(): boolean {
    return this.#held < this.#wanted || this.#freeBytes() < this.#wanted;
  }

  /** How much can be written at all. */
  roomBytes(): number {
    return this.#freeBytes() + this.#held;
  }

  /**
   * Does what must be done though the disk is full: what fails for want of space is tried again with some more of
   * it. `keep` is the part (0 to 1) of the reserve that is left for what matters more. What is tried must be as before when it
   * throws.
   */
  use<Result>(work: () => Result, keep = 0): Result {
    for (;;) {
      try {
        return work();
      } catch (thrown) {
        if (!isNoSpace(thrown) || this.#held <= keep * this.#wanted) throw thrown;
        this.#giveUp();
      }
    }
  }

  close(): void {
    if (this.#refilling !== null) clearTimeout(this.#refilling);
    closeSync(this.#fd);
  }

  #giveUp(): void {
    if (!this.#isReported)
      this.#log.error('The disk of the state directory is full: only what was kept in reserve is left.', {
        file: this.path,
      });
    this.#isReported = true;
    this.#cutTo(Math.max(0, this.#held - STEP_BYTES));
    this.#refillLater();
  }

  #cutTo(bytes: number): void {
    ftruncateSync(this.#fd, bytes);
    this.#held = bytes;
  }

  /** Bytes that no file system can store in less space. */
  #refill(): void {
    const missing = this.#wanted - this.#held;
    if (missing > 0 && this.#freeBytes() > missing + this.#wanted) {
      try {
        this.#held += writeSync(this.#fd, randomBytes(missing));
      } catch (thrown) {
        if (!isNoSpace(thrown)) throw FsError.from(thrown);
      }
    }
    if (this.#held < this.#wanted) this.#refillLater();
    else if (this.#isReported) {
      this.#isReported = false;
      this.#log.info('The disk of the state directory has space again.', { file: this.path });
    }
  }

  #refillLater(): void {
    this.#refilling ??= setTimeout(() => {
      this.#refilling = null;
      try {
        this.#refill();
      } catch (thrown) {
        this.#log.warn('The reserve for a full disk cannot be filled.', {
          file: this.path,
          error: FsError.from(thrown).message,
        });
        this.#refillLater();
      }
    }, REFILL_MS).unref();
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(dirname(this.path));
    return bavail * bsize;
  }
}

/** Whether something failed because the disk, or a quota, is full. */
export function isNoSpace(thrown: unknown): boolean {
  for (let error: unknown = thrown; error instanceof Error; error = error.cause) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  }
  return false;
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / 4096) * 4096;
}
