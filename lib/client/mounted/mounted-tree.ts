import { lstat, mkdir, open, readdir, readlink, rename, rmdir, unlink } from 'node:fs/promises';
import { constants, type BigIntStats } from 'node:fs';
import { join, resolve } from 'node:path';
import { Emitter, FsError } from '../../core/index.js';
import {
  BaseFile,
  BaseSymlink,
  ReadOnlyDir,
  type Change,
  type Created,
  type DirEntry,
  type DirNode,
  type FileHandle,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type Vfs,
} from '../../vfs/index.js';
import { stopIfAborted } from '../give-up.js';
import { BlockingWrites } from './blocking-writes.js';
import { fromHost } from './host-failure.js';
import { statFromHost } from './host-stat.js';
import { MountedHandle } from './mounted-handle.js';

/** Where a mount is, and its threads. */
interface Mounted {
  readonly top: string;
  readonly writes: BlockingWrites;
}

/** A tree that a kernel shows at a directory: each look is a call of this process's own, nothing is kept. */
export class MountedTree implements Vfs {
  readonly root: DirNode;
  readonly changes = new Emitter<Change>();
  readonly #writes: BlockingWrites;

  private constructor(mounted: Mounted, stat: BigIntStats) {
    this.#writes = mounted.writes;
    this.root = new MountedDir(mounted, mounted.top, stat);
  }

  /** @throws FsError EINVAL where no tree is mounted, EHOSTDOWN where its server is gone */
  static async open(dir: string): Promise<MountedTree> {
    const top = resolve(dir);
    const stat = await fromHost(lstat(top, { bigint: true }), top);
    const isTree = await fromHost(readdir(top), top);
    if (!isTree.includes('session.json') || !isTree.includes('nodes'))
      throw new FsError('EINVAL', `Nothing of Acheron is mounted on ${top}.`, {
        hint: `Mount it: acheron up ${top}, or acheron mount ${top}. \`acheron doctor\` says what is mounted.`,
      });
    return new MountedTree({ top, writes: new BlockingWrites() }, stat);
  }

  close(): Promise<void> {
    return this.#writes.close();
  }
}

class MountedDir extends ReadOnlyDir {
  override readonly freshness: Freshness = 'live';
  readonly ino: bigint;
  readonly #mounted: Mounted;
  readonly #path: string;

  constructor(mounted: Mounted, path: string, { ino }: BigIntStats) {
    super();
    this.ino = ino;
    this.#mounted = mounted;
    this.#path = path;
  }

  stat(op: Op): Promise<Stat> {
    return statOf(this.#path, op);
  }

  async lookup(name: string, op: Op): Promise<Node> {
    stopIfAborted(op.signal);
    const path = join(this.#path, name);
    const stat = await fromHost(lstat(path, { bigint: true }), path);
    if (stat.isDirectory()) return new MountedDir(this.#mounted, path, stat);
    return stat.isSymbolicLink() ? new MountedLink(path, stat) : new MountedFile(this.#mounted, path, stat);
  }

  async list(op: Op): Promise<DirEntry[]> {
    stopIfAborted(op.signal);
    const entries = await fromHost(readdir(this.#path, { withFileTypes: true }), this.#path);
    return entries.map((entry) => ({
      name: entry.name,
      ino: 0n,
      kind: entry.isDirectory() ? 'dir' : entry.isSymbolicLink() ? 'symlink' : 'file',
    }));
  }

  override async create(name: string, flags: OpenFlags, mode: number, op: Op): Promise<Created> {
    stopIfAborted(op.signal);
    const path = join(this.#path, name);
    const file = await fromHost(open(path, constants.O_CREAT | bitsOf(flags), mode), path);
    const stat = await fromHost(file.stat({ bigint: true }), path);
    const handle = new MountedHandle(file, path, this.#mounted.writes);
    return { node: new MountedFile(this.#mounted, path, stat), handle };
  }

  override async mkdir(name: string, mode: number, op: Op): Promise<DirNode> {
    const path = join(this.#path, name);
    await fromHost(mkdir(path, { mode }), path);
    return (await this.lookup(name, op)) as DirNode;
  }

  override unlink(name: string): Promise<void> {
    return fromHost(unlink(join(this.#path, name)), join(this.#path, name));
  }

  override rmdir(name: string): Promise<void> {
    return fromHost(rmdir(join(this.#path, name)), join(this.#path, name));
  }

  override rename(name: string, toDir: DirNode, toName: string): Promise<void> {
    if (!(toDir instanceof MountedDir)) throw new FsError('EXDEV', 'That is another tree.');
    const path = join(this.#path, name);
    return fromHost(rename(path, join(toDir.#path, toName)), path);
  }
}

class MountedFile extends BaseFile {
  override readonly freshness: Freshness = 'live';
  readonly ino: bigint;
  readonly #mounted: Mounted;
  readonly #path: string;

  constructor(mounted: Mounted, path: string, { ino }: BigIntStats) {
    super();
    this.ino = ino;
    this.#mounted = mounted;
    this.#path = path;
  }

  stat(op: Op): Promise<Stat> {
    return statOf(this.#path, op);
  }

  async open(flags: OpenFlags, op: Op): Promise<FileHandle> {
    stopIfAborted(op.signal);
    const file = await fromHost(open(this.#path, bitsOf(flags)), this.#path);
    return new MountedHandle(file, this.#path, this.#mounted.writes);
  }
}

class MountedLink extends BaseSymlink {
  override readonly freshness: Freshness = 'live';
  readonly ino: bigint;
  readonly #path: string;

  constructor(path: string, { ino }: BigIntStats) {
    super();
    this.ino = ino;
    this.#path = path;
  }

  stat(op: Op): Promise<Stat> {
    return statOf(this.#path, op);
  }

  readlink(): Promise<string> {
    return fromHost(readlink(this.#path), this.#path);
  }
}

async function statOf(path: string, op: Op): Promise<Stat> {
  stopIfAborted(op.signal);
  return statFromHost(await fromHost(lstat(path, { bigint: true }), path));
}

/** A link is never followed here: who walks the tree decides that. */
function bitsOf({ read, write, append, truncate, exclusive }: OpenFlags): number {
  const access = read && write ? constants.O_RDWR : write ? constants.O_WRONLY : constants.O_RDONLY;
  return (
    access |
    constants.O_NOFOLLOW |
    (append ? constants.O_APPEND : 0) |
    (truncate ? constants.O_TRUNC : 0) |
    (exclusive ? constants.O_EXCL : 0)
  );
}
