import { Emitter, FsError, type Log } from '../../core/index.js';
import type { Change, Node, Op, Stat } from '../../vfs/index.js';
import { ExportDir } from './export-dir.js';
import { ExportFile } from './export-file.js';
import type { ExportHandle } from './export-handle.js';
import { exportIno } from './export-ino.js';
import { ExportSymlink } from './export-symlink.js';
import { kindOf, specialOf, type HostStat } from './host-stat.js';
import { HostTree, type HostTreeOptions } from './host-tree.js';
import { mountPoint } from './mount-point.js';
import { openFilesOfProcess } from './open-files.js';
import { NodeCache } from './node-cache.js';
import { DirWatch } from './dir-watch.js';

export interface ExportOptions extends HostTreeOptions {
  readonly readOnly: boolean;
  readonly maxWatches: number;
  readonly log: Log;
}

/** What the nodes of one export share. */
export class ExportState {
  readonly tree: HostTree;
  readonly nodes = new NodeCache();
  readonly changes = new Emitter<Change>();
  readonly openHandles = new Set<ExportHandle>();
  readonly openFiles = openFilesOfProcess();
  readonly watch: DirWatch;
  readonly log: Log;
  readonly root: ExportDir;
  readonly #readOnly: boolean;

  constructor(path: string, options: ExportOptions) {
    this.#readOnly = options.readOnly;
    this.log = options.log;
    this.tree = new HostTree(path, options);
    this.watch = new DirWatch(this, options.maxWatches);
    const stat = this.tree.stat(this.tree.rootFd, '');
    this.root = new ExportDir(this, this.inoOf(stat), stat);
    this.nodes.add(this.root);
  }

  /** @throws FsError EROFS in a read-only export */
  checkWritable(): void {
    if (!this.#readOnly) return;
    throw new FsError('EROFS', 'This export is read-only.', { hint: 'Export it with :rw to change it.' });
  }

  /** @throws FsError ENFILE where the caller, or all callers together, have too many files open */
  checkRoom(op: Op): void {
    this.openFiles.check(op, this.log);
  }

  /** The number that a file is shown with. */
  inoOf(stat: Pick<HostStat, 'dev' | 'ino'>): bigint {
    return exportIno(stat.dev, stat.ino);
  }

  /** The node of what was found as `name` in `dir`: the one that is known, or a new one. */
  nodeOf(dir: ExportDir, name: string, stat: HostStat): Node {
    const ino = this.inoOf(stat);
    if (this.tree.isBeyond(stat)) return mountPoint(ino, stat);
    const known = this.nodes.get(ino);
    if (known?.is(stat)) {
      if (known !== this.root) known.addPlace(dir, name);
      known.seen = stat;
      return known as ExportDir | ExportFile | ExportSymlink;
    }
    const kind = kindOf(stat);
    const Kind = kind === 'dir' ? ExportDir : kind === 'symlink' ? ExportSymlink : ExportFile;
    const node = new Kind(this, ino, stat);
    node.addPlace(dir, name);
    this.nodes.add(node);
    return node;
  }

  /** The node of a new file that has no name. */
  namelessFile(stat: HostStat): ExportFile {
    const node = new ExportFile(this, this.inoOf(stat), stat);
    this.nodes.add(node);
    return node;
  }

  /** A name of `stat`'s file is gone, by our own hand. */
  nameRemoved(dir: ExportDir, name: string, stat: HostStat): void {
    const ino = this.inoOf(stat);
    this.nodes.get(ino)?.removePlace(dir, name);
    if (stat.nlink <= 1 || kindOf(stat) === 'dir') this.nodes.remove(ino);
  }

  statOf(stat: HostStat, ino: bigint): Stat {
    return {
      ino,
      kind: kindOf(stat),
      ...specialsOf(stat),
      mode: this.#readOnly ? stat.mode & ~0o222 : stat.mode,
      nlink: stat.nlink,
      uid: stat.uid,
      gid: stat.gid,
      size: stat.size,
      blocks: stat.blocks,
      atimeNs: stat.atimeNs,
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
    };
  }

  /** Reports that a call of ours changed what `name` in `dir` is. */
  entryChanged(dir: ExportDir, name: string, { origin }: Op): void {
    this.watch.ignoreOwn(dir, name);
    if (this.changes.size > 0) this.changes.emit({ what: 'entry', ino: dir.ino, name, by: origin });
  }

  /** Reports that a call of ours gave a file more names or fewer. */
  linksChanged(stat: HostStat, { origin }: Op): void {
    if (this.changes.size > 0) this.changes.emit({ what: 'attr', ino: this.inoOf(stat), by: origin });
  }

  close(): void {
    this.watch.close();
    for (const handle of [...this.openHandles]) handle.release();
    this.tree.close();
  }
}

/** What only special files have; all others are spared it. */
function specialsOf(stat: HostStat): Pick<Stat, 'special' | 'rdev'> | undefined {
  const special = specialOf(stat);
  return special === undefined ? undefined : { special, rdev: stat.rdev };
}
