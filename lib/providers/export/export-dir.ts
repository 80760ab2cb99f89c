import {
  closeSync,
  constants,
  fchmodSync,
  chmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { FsError, quietError } from '../../core/index.js';
import { O_PATH, O_TMPFILE_BIT, bytesFromText } from '../../linux/index.js';
import { typeBits } from '../../vfs/index.js';
import type {
  Awaitable,
  Created,
  DirEntry,
  DirNode,
  FileNode,
  Node,
  OpenFlags,
  Op,
  SymlinkNode,
} from '../../vfs/index.js';
import type { ExportFile } from './export-file.js';
import { checkRegular, closingOnFault, openBits } from './export-file.js';
import { ExportNode, lost } from './export-node.js';
import { isDirectory, type HostStat } from './host-stat.js';
import { modeFor } from './identity.js';
import { checkName, pathIn, pathOfFd } from './host-tree.js';
import { readDir } from './read-dir.js';

/** open(2), Linux. Not in `node:fs`. */
const O_TMPFILE = O_TMPFILE_BIT | constants.O_DIRECTORY;
const S_ISGID = 0o2000;

/** A directory of the host. */
export class ExportDir extends ExportNode implements DirNode {
  readonly kind = 'dir';
  /** Removed through this export. A caller that still has it open may look at it, as at any removed directory. */
  #isRemoved = false;

  protected override hostStat(): HostStat {
    const { root, tree } = this.state;
    if (this === root) return tree.stat(tree.rootFd, '');
    return this.#isRemoved ? { ...this.seen, nlink: 0 } : super.hostStat();
  }

  protected override withPath<Result>(work: (path: string) => Result): Result {
    const { root, tree } = this.state;
    return this === root ? work(pathOfFd(tree.rootFd)) : super.withPath(work);
  }

  protected override atPlace<Result>(work: (dirFd: number, name: string) => Result | undefined): Result {
    if (this !== this.state.root) return super.atPlace(work);
    const result = work(this.state.tree.rootFd, '');
    if (result === undefined) throw lost();
    return result;
  }

  override get hasPlace(): boolean {
    return this === this.state.root || super.hasPlace;
  }

  lookup(name: string, op: Op): Node {
    this.state.watch.touch(this);
    const node = this.lookupSync(name, op);
    if (node === undefined) throw quietError('ENOENT', `There is no ${JSON.stringify(name)} here.`);
    return node;
  }

  lookupSync(name: string, op: Op): Node | undefined {
    checkName(name);
    const { tree } = this.state;
    const stat = tree.run(op, () => tree.withDir(this.path, (dirFd) => tree.statAnywhere(dirFd, name)));
    return stat === undefined ? undefined : this.state.nodeOf(this, name, stat);
  }

  list(op: Op): Awaitable<readonly DirEntry[]> {
    const { tree } = this.state;
    this.state.watch.touch(this);
    const fd = tree.run(op, () =>
      // Not as `.` in it: listing takes no right to search.
      tree.withDir(this.path, (dirFd) =>
        openSync(pathOfFd(dirFd), constants.O_RDONLY | constants.O_DIRECTORY),
      ),
    );
    return readDir(this.state, fd, op);
  }

  create(name: string, flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    checkName(name);
    this.state.checkWritable();
    this.state.checkRoom(op);
    const { tree } = this.state;
    const bits = openBits(flags) | constants.O_CREAT | (flags.exclusive ? constants.O_EXCL : 0);
    const created = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        const wasThere = !flags.exclusive && tree.statIfThere(dirFd, name) !== undefined;
        const fd = tree.open(dirFd, name, bits, this.#modeToAsk(dirFd, mode, op));
        let stat = closingOnFault(fd, () => tree.stat(fd, ''));
        checkRegular(fd, stat);
        if (!wasThere) stat = this.#withFullMode(dirFd, stat, mode, (whole) => fchmodSync(fd, whole));
        const node = this.state.nodeOf(this, name, stat) as ExportFile;
        // A new file is empty, and may be one that its maker has no right to write to.
        return { node, handle: node.opened(fd, { ...flags, truncate: flags.truncate && wasThere }, op) };
      }),
    );
    this.state.entryChanged(this, name, op);
    return created;
  }

  tmpfile(flags: OpenFlags, mode: number, op: Op): Awaitable<Created> {
    this.state.checkWritable();
    this.state.checkRoom(op);
    const { tree } = this.state;
    // Only a file that can be given a name later is worth having: that takes linkat.
    if (tree.native === null) throw new FsError('EOPNOTSUPP', 'A file must have a name here.');
    const bits = openBits(flags) | O_TMPFILE | (flags.exclusive ? constants.O_EXCL : 0);
    return tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        const fd = tree.open(dirFd, '.', bits, this.#modeToAsk(dirFd, mode, op));
        const stat = this.#withFullMode(dirFd, tree.stat(fd, ''), mode, (whole) => fchmodSync(fd, whole));
        const node = this.state.namelessFile(stat);
        return { node, handle: node.opened(fd, { ...flags, truncate: false }, op) };
      }),
    );
  }

  mkdir(name: string, mode: number, op: Op): Awaitable<DirNode> {
    checkName(name);
    this.state.checkWritable();
    const { tree } = this.state;
    const node = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        mkdirSync(pathIn(dirFd, name), this.#modeToAsk(dirFd, mode, op));
        return this.#made(dirFd, name, mode, constants.O_DIRECTORY) as ExportDir;
      }),
    );
    this.state.entryChanged(this, name, op);
    return node;
  }

  mknod(name: string, special: 'pipe' | 'socket', mode: number, op: Op): Awaitable<FileNode> {
    checkName(name);
    this.state.checkWritable();
    const { tree } = this.state;
    const { native } = tree;
    if (native === null)
      throw new FsError('EPERM', 'Making pipes needs the koffi package, which is missing.');
    const type = typeBits({ kind: 'file', special });
    const node = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        native.makeNode(dirFd, name, type | this.#modeToAsk(dirFd, mode, op));
        return this.#made(dirFd, name, mode, 0) as ExportFile;
      }),
    );
    this.state.entryChanged(this, name, op);
    return node;
  }

  /** The node of what was just made here, with the whole `mode`. */
  #made(dirFd: number, name: string, mode: number, flags: number): Node {
    const { tree } = this.state;
    const fd = tree.open(dirFd, name, O_PATH | flags);
    try {
      const stat = this.#withFullMode(dirFd, tree.stat(fd, ''), mode, (whole) =>
        chmodSync(pathOfFd(fd), whole),
      );
      return this.state.nodeOf(this, name, stat);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * The mode to make something with: where the directory has a default ACL, which is not looked for unless it makes a
   * difference, the caller's umask takes nothing (acl(5)).
   */
  #modeToAsk(dirFd: number, mode: number, op: Op): number {
    const whole = mode | (op.masked ?? 0);
    const isSame = (whole & ~this.state.tree.umask) === mode;
    return modeFor(isSame || this.#hasDefaultAcl(dirFd) ? whole : mode, op);
  }

  /**
   * `mode` is what is left after the caller's umask; this process's own must not take more away. What the
   * directory's default ACL takes away stays so.
   */
  #withFullMode(dirFd: number, stat: HostStat, mode: number, chmod: (whole: number) => void): HostStat {
    const missing = mode & 0o777 & ~stat.mode;
    if (missing === 0 || this.#hasDefaultAcl(dirFd)) return stat;
    const whole = stat.mode | missing;
    // A user who is not in the group would take away the bit that the directory has given.
    if ((whole & S_ISGID) !== 0) this.state.tree.asSelfFor(stat.uid, () => chmod(whole));
    else chmod(whole);
    return { ...stat, mode: whole };
  }

  #hasDefaultAcl(dirFd: number): boolean {
    const names = this.state.tree.native?.listxattr(pathOfFd(dirFd));
    return names?.includes('system.posix_acl_default') ?? false;
  }

  unlink(name: string, op: Op): Awaitable<void> {
    this.#remove(name, op, unlinkSync);
  }

  rmdir(name: string, op: Op): Awaitable<void> {
    this.#remove(name, op, rmdirSync);
  }

  #remove(name: string, op: Op, remove: (path: string | Buffer) => void): void {
    checkName(name);
    this.state.checkWritable();
    const { tree } = this.state;
    const gone = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        const stat = tree.statIfThere(dirFd, name);
        if (stat === undefined) throw quietError('ENOENT', `There is no ${JSON.stringify(name)} here.`);
        remove(pathIn(dirFd, name));
        const node = this.state.nodes.get(this.state.inoOf(stat));
        if (node instanceof ExportDir) node.#isRemoved = true;
        this.state.nameRemoved(this, name, stat);
        return stat;
      }),
    );
    this.state.entryChanged(this, name, op);
    if (gone.nlink > 1 && !isDirectory(gone)) this.state.linksChanged(gone, op);
  }

  rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Awaitable<void> {
    checkName(name);
    checkName(toName);
    this.state.checkWritable();
    const to = this.#sibling(toDir);
    const { tree } = this.state;
    const replaced = tree.run(op, () =>
      tree.withDir(this.path, (fromFd) =>
        tree.withDir(to.path, (toFd) => {
          const before = tree.statIfThere(toFd, toName);
          if (tree.native !== null) tree.native.rename(fromFd, name, toFd, toName, flags);
          else if (flags === 0) renameSync(pathIn(fromFd, name), pathIn(toFd, toName));
          else throw new FsError('EINVAL', 'This kind of rename needs the koffi package, which is missing.');
          this.#renamed(name, fromFd, to, toName, toFd, before);
          return before;
        }),
      ),
    );
    this.state.entryChanged(this, name, op);
    this.state.entryChanged(to, toName, op);
    if (replaced !== undefined && replaced.nlink > 1) this.state.linksChanged(replaced, op);
  }

  /** Nodes learn their new names. What two names of one file do to each other (nothing) is seen by looking. */
  #renamed(
    name: string,
    fromFd: number,
    to: ExportDir,
    toName: string,
    toFd: number,
    before: HostStat | undefined,
  ): void {
    const { tree } = this.state;
    const left = tree.statIfThere(fromFd, name);
    const arrived = tree.statIfThere(toFd, toName);
    if (before !== undefined && arrived?.ino !== before.ino) {
      if (left?.ino === before.ino) this.state.nodes.get(this.state.inoOf(before))?.removePlace(to, toName);
      else this.state.nameRemoved(to, toName, before);
    }
    if (arrived !== undefined) {
      const node = this.state.nodes.get(this.state.inoOf(arrived));
      node?.removePlace(this, name);
      node?.addPlace(to, toName);
    }
    if (left !== undefined) this.state.nodes.get(this.state.inoOf(left))?.addPlace(this, name);
  }

  link(target: Node, name: string, op: Op): Awaitable<Node> {
    checkName(name);
    this.state.checkWritable();
    if (!(target instanceof ExportNode) || target.state !== this.state) throw otherFilesystem();
    const { tree } = this.state;
    const stat = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        target.linkTo(dirFd, name);
        return tree.stat(dirFd, name);
      }),
    );
    const node = this.state.nodeOf(this, name, stat);
    this.state.entryChanged(this, name, op);
    this.state.linksChanged(stat, op);
    return node;
  }

  symlink(name: string, target: string, op: Op): Awaitable<SymlinkNode> {
    checkName(name);
    this.state.checkWritable();
    const { tree } = this.state;
    const stat = tree.run(op, () =>
      tree.withDir(this.path, (dirFd) => {
        symlinkSync(bytesFromText(target), pathIn(dirFd, name));
        return tree.stat(dirFd, name);
      }),
    );
    const node = this.state.nodeOf(this, name, stat) as SymlinkNode;
    this.state.entryChanged(this, name, op);
    return node;
  }

  fsync(op: Op): Awaitable<void> {
    const { tree } = this.state;
    tree.run(op, () =>
      this.withPath((path) => {
        const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
        try {
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
      }),
    );
  }

  #sibling(dir: DirNode): ExportDir {
    if (dir instanceof ExportDir && dir.state === this.state) return dir;
    throw otherFilesystem();
  }
}

function otherFilesystem(): FsError {
  return new FsError('EXDEV', 'It belongs to another part of the tree.', {
    hint: 'Copy it instead; mv does so by itself.',
  });
}
