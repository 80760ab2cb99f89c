import { FsError } from '../core/index.js';
import { BaseFile, ReadOnlyHandle } from './bases.js';
import type { FileHandle, Freshness, OpenFlags, Op, Stat } from './types.js';

/** Bytes that only grow at their end, as the caller may see them now. */
export interface Growing {
  readonly size: number;
  read(at: number, size: number): Uint8Array;
}

export interface StreamOptions {
  /** As `FileHandle.revocable`. */
  readonly revocable?: boolean;
  /** As `FileHandle.awaitChange`, of each descriptor. */
  readonly awaitGrowth?: (from: number, op: Op) => Promise<boolean>;
}

/** A stream: readers see it grow through the descriptor they hold, so `tail -f` follows it. */
export class StreamFile extends BaseFile {
  override readonly freshness: Freshness = 'live';
  readonly ino: bigint;
  readonly #content: (op: Op) => Growing;
  readonly #statOf: (size: number) => Stat;
  readonly #options: StreamOptions;

  /** `content` throws what the session is to see when it may not. */
  constructor(
    ino: bigint,
    content: (op: Op) => Growing,
    statOf: (size: number) => Stat,
    options: StreamOptions = {},
  ) {
    super();
    this.ino = ino;
    this.#content = content;
    this.#statOf = statOf;
    this.#options = options;
  }

  stat(op: Op): Stat {
    return this.#statOf(this.#content(op).size);
  }

  open(flags: OpenFlags, op: Op): FileHandle {
    if (flags.write) throw new FsError('EACCES', 'This file is read-only.');
    this.#content(op);
    return new StreamHandle(this, this.#content, this.#options);
  }
}

class StreamHandle extends ReadOnlyHandle {
  readonly revocable: boolean;
  awaitChange?: FileHandle['awaitChange'];
  readonly #file: StreamFile;
  readonly #content: (op: Op) => Growing;

  constructor(
    file: StreamFile,
    content: (op: Op) => Growing,
    { revocable = false, awaitGrowth }: StreamOptions,
  ) {
    super();
    this.revocable = revocable;
    this.#file = file;
    this.#content = content;
    if (awaitGrowth !== undefined)
      this.awaitChange = async (from, op) => {
        content(op);
        return awaitGrowth(from, op);
      };
  }

  stat(op: Op): Stat {
    return this.#file.stat(op);
  }

  read(at: number, size: number, op: Op): Uint8Array {
    return this.#content(op).read(at, size);
  }
}
