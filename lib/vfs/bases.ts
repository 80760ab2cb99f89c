import { FsError } from '../core/index.js';
import { chain } from './awaitable.js';
import { noAttributeError } from './no-attribute.js';
import type {
  AttrChange,
  Awaitable,
  Created,
  DirEntry,
  DirNode,
  FileHandle,
  FileNode,
  Freshness,
  Node,
  OpenFlags,
  Op,
  Stat,
  StatFs,
  SymlinkNode,
} from './types.js';

/** A filesystem without blocks of its own, as procfs reports it. */
export const NO_BLOCKS: StatFs = {
  blockSize: 4096,
  blocks: 0n,
  blocksFree: 0n,
  blocksAvailable: 0n,
  files: 0n,
  filesFree: 0n,
  nameMax: 255,
};

const never = (what: string): FsError =>
  new FsError('EPERM', `${what} is not possible here.`, {
    hint: 'This part of the tree is made of services; only exports, jobs/ and calls/ can change shape.',
  });

/** @throws FsError EACCES unless the owner bits of `stat.mode` grant `mask`. */
export function checkAccess(stat: Stat, mask: number): void {
  if (((stat.mode >> 6) & mask) !== mask) throw new FsError('EACCES', 'This session may not do that here.');
}

/**
 * What becomes of a change of attributes where they follow from what the file is. A file that takes writes
 * takes these too, without effect: what copies into it sets them after the writing, and must not fail when
 * that has run. Elsewhere only a mode that is there already is taken.
 * @throws FsError EPERM for any other.
 */
function unchanged(change: AttrChange, stat: Stat): Stat {
  if (stat.kind === 'file' && (stat.mode & 0o200) !== 0) return stat;
  if (change.size !== undefined) throw never('Changing the size');
  if (change.mode !== undefined && (change.mode & 0o7777) !== stat.mode) throw never('Changing the mode');
  if (change.uid !== undefined || change.gid !== undefined) throw never('Changing the owner');
  if (change.atimeNs !== undefined || change.mtimeNs !== undefined) throw never('Changing the times');
  return stat;
}

/** The refusals that all nodes share: attributes cannot be set, there are no extended attributes. */
abstract class BaseNode {
  abstract readonly ino: bigint;
  readonly freshness: Freshness = 'announced';
  abstract stat(op: Op): Awaitable<Stat>;

  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return chain(this.stat(op), (stat) => unchanged(change, stat));
  }

  access(mask: number, op: Op): Awaitable<void> {
    const stat = this.stat(op);
    return stat instanceof Promise ? stat.then((known) => checkAccess(known, mask)) : checkAccess(stat, mask);
  }

  isBare(_op: Op): boolean {
    return true;
  }

  getxattr(name: string, _op: Op): Awaitable<Uint8Array> {
    throw noAttributeError(name);
  }

  setxattr(_name: string, _value: Uint8Array, _flags: number, _op: Op): Awaitable<void> {
    throw new FsError('EOPNOTSUPP', 'Extended attributes cannot be set here.');
  }

  listxattr(_op: Op): Awaitable<readonly string[]> {
    return [];
  }

  removexattr(name: string, _op: Op): Awaitable<void> {
    throw new FsError('ENODATA', `There is no attribute ${JSON.stringify(name)}.`);
  }

  statfs(_op: Op): Awaitable<StatFs> {
    return NO_BLOCKS;
  }
}

/** A directory whose shape callers cannot change: refuses with EPERM what would. */
export abstract class ReadOnlyDir extends BaseNode implements DirNode {
  readonly kind = 'dir';
  abstract lookup(name: string, op: Op): Awaitable<Node>;
  abstract list(op: Op): Awaitable<readonly DirEntry[]>;

  create(name: string, _flags: OpenFlags, _mode: number, _op: Op): Awaitable<Created> {
    throw never(`Creating ${JSON.stringify(name)}`);
  }
  mkdir(name: string, _mode: number, _op: Op): Awaitable<DirNode> {
    throw never(`Creating ${JSON.stringify(name)}`);
  }
  unlink(name: string, _op: Op): Awaitable<void> {
    throw never(`Removing ${JSON.stringify(name)}`);
  }
  rmdir(name: string, _op: Op): Awaitable<void> {
    throw never(`Removing ${JSON.stringify(name)}`);
  }
  rename(name: string, _toDir: DirNode, _toName: string, _flags: number, _op: Op): Awaitable<void> {
    throw never(`Renaming ${JSON.stringify(name)}`);
  }
  link(_target: Node, name: string, _op: Op): Awaitable<Node> {
    throw never(`Linking ${JSON.stringify(name)}`);
  }
  symlink(name: string, _target: string, _op: Op): Awaitable<SymlinkNode> {
    throw never(`Linking ${JSON.stringify(name)}`);
  }
  fsync(_op: Op): Awaitable<void> {
    return undefined;
  }
}

export abstract class BaseFile extends BaseNode implements FileNode {
  readonly kind = 'file';
  readonly perOpen: boolean = false;
  abstract open(flags: OpenFlags, op: Op): Awaitable<FileHandle>;
}

export abstract class BaseSymlink extends BaseNode implements SymlinkNode {
  readonly kind = 'symlink';
  abstract readlink(op: Op): Awaitable<string>;
}

/** A descriptor that cannot be written: refuses with EBADF, as the kernel would. */
export abstract class ReadOnlyHandle implements FileHandle {
  readonly direct: boolean = true;
  abstract stat(op: Op): Awaitable<Stat>;
  abstract read(at: number, size: number, op: Op): Awaitable<Uint8Array>;

  setattr(change: AttrChange, op: Op): Awaitable<Stat> {
    return chain(this.stat(op), (stat) => unchanged(change, stat));
  }
  write(_at: number, _data: Uint8Array, _op: Op): Awaitable<number> {
    throw new FsError('EBADF', 'The file is not open for writing.');
  }
  fsync(_dataOnly: boolean, _op: Op): Awaitable<void> {
    return undefined;
  }
  allocate(_mode: number, _at: number, _length: number, _op: Op): Awaitable<void> {
    throw new FsError('EOPNOTSUPP', 'Space cannot be reserved here.');
  }
  release(): Awaitable<void> {
    return undefined;
  }
}
