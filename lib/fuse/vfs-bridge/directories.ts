import {
  chain,
  shownIno,
  type Awaitable,
  type DirEntry,
  type FileNode,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import {
  type Call,
  type DirentList,
  type Filesystem,
  FOPEN_CACHE_DIR,
  FOPEN_KEEP_CACHE,
} from '../kernel/index.js';
import { isClosedTo } from './names.js';
import { isPerOpen, type NodeRef } from './inode-table.js';
import type { OpenDir, MountState } from './mount-state.js';
import { entryType } from './translate.js';

type DirectoryHandlers = Pick<Filesystem, 'opendir' | 'readdir' | 'readdirplus' | 'releasedir' | 'fsyncdir'>;

/** `.` and `..` come first. */
const DOTS = 2;
/** A listing has no stamp of its own: `Change` events alone mark it as another. */
const LISTED = { size: 0, mtimeNs: 0n, ctimeNs: 0n };

export function directoryHandlers(s: MountState): DirectoryHandlers {
  return {
    opendir(nodeid, _flags, call) {
      s.op(call);
      const node = s.dir(nodeid);
      const ref = s.ref(nodeid);
      const fh = s.dirs.add({ ref, entries: undefined });
      ref.opening += 1;
      if (node.freshness !== 'announced') return { fh, openFlags: 0 };
      const openFlags = ref.cached === undefined ? FOPEN_CACHE_DIR : FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE;
      ref.cached = LISTED;
      return { fh, openFlags };
    },
    readdir(_nodeid, fh, offset, list, call) {
      const dir = s.openDir(fh);
      return chain(listingOf(dir, offset, call), (entries) => {
        if (!addDots(dir.ref, offset, list, false)) return;
        for (let i = Math.max(0, offset - DOTS); i < entries.length; i++) {
          const entry = entries[i];
          if (
            entry === undefined ||
            !list.add(entry.name, shownIno(entry.ino), entryType(entry), i + DOTS + 1)
          )
            return;
        }
      });
    },
    readdirplus(_nodeid, fh, offset, list, call) {
      const dir = s.openDir(fh);
      return chain(listingOf(dir, offset, call), (entries) => {
        if (!addDots(dir.ref, offset, list, true)) return;
        const op = s.op(call);
        for (let i = Math.max(0, offset - DOTS); i < entries.length; i++) {
          const entry = entries[i];
          if (entry === undefined || !addPlus(dir.ref, entry, i + DOTS + 1, list, op, call.pid)) return;
        }
      });
    },
    releasedir(_nodeid, fh) {
      const dir = s.dirs.remove(fh);
      if (dir !== undefined) dir.ref.opening -= 1;
    },
    fsyncdir: (nodeid, _fh, _dataOnly, call) => s.dir(nodeid).fsync(s.op(call)),
  };

  /** What the descriptor lists: taken at its start, and anew after a rewind. */
  function listingOf(dir: OpenDir, offset: number, call: Call): Awaitable<readonly DirEntry[]> {
    const op = s.op(call);
    if (offset > 0 && dir.entries !== undefined) return dir.entries;
    const entries = s.dir(dir.ref.nodeid).list(op);
    return chain(entries, (known) => {
      if (!Array.isArray(known)) throw new TypeError('A directory listed something else than entries.');
      dir.entries = known;
      return dir.entries;
    });
  }

  function addDots(ref: NodeRef, offset: number, list: DirentList, plus: boolean): boolean {
    const dots: readonly [string, NodeRef][] = [
      ['.', ref],
      ['..', ref.parent ?? ref],
    ];
    return dots.slice(Math.min(offset, DOTS)).every(([name, { node }]) => {
      const next = name.length;
      const ino = shownIno(node.ino);
      return plus
        ? list.addPlus(name, ino, entryType(ref.node), next, null)
        : list.add(name, ino, entryType(ref.node), next);
    });
  }

  /** Gives the kernel the node as well, where it is at hand and may be kept. */
  function addPlus(
    dir: NodeRef,
    entry: DirEntry,
    next: number,
    list: DirentList,
    op: Op,
    pid: number,
  ): boolean {
    const { name } = entry;
    const ino = shownIno(entry.ino);
    const type = entryType(entry);
    let node, stat;
    try {
      node = entry.node ?? s.dir(dir.nodeid).lookupSync?.(name, op);
      if (node === undefined || isClosedTo(op, node)) return list.addPlus(name, ino, type, next, null);
      if (isPerOpen(node)) {
        s.lookups.look(pid);
        return addPerOpen(dir, node, entry, next, list, op);
      }
      if (node.freshness === 'live') return list.addPlus(name, ino, type, next, null);
      stat = (entry.node === undefined ? node.cachedStat?.(op) : undefined) ?? node.stat(op);
    } catch {
      return list.addPlus(name, ino, type, next, null); // a lookup of it says why
    }
    if (stat instanceof Promise) {
      stat.catch(() => undefined);
      return list.addPlus(name, ino, type, next, null);
    }
    const ref = s.nodes.refer(dir, name, node);
    if (ref.files.size > 0) return list.addPlus(name, ino, type, next, null);
    return addKnown(dir, ref, stat, entry, next, list);
  }

  /**
   * With what the name leads to already, or a node of nobody's: the kernel needs not look the name up under
   * the directory's lock, behind all callers. A caller that opens it is sent back for a node of its own.
   */
  function addPerOpen(
    dir: NodeRef,
    node: FileNode,
    entry: DirEntry,
    next: number,
    list: DirentList,
    op: Op,
  ): boolean {
    const { name } = entry;
    // The kernel asks for the attributes again before it shows them.
    const stat = node.lastKnownStat?.() ?? (entry.node === undefined ? node.cachedStat?.(op) : node.stat(op));
    if (stat === undefined || stat instanceof Promise)
      return list.addPlus(name, shownIno(entry.ino), entryType(entry), next, null);
    const shown = s.lookups.shown(node.ino);
    const isKnown = shown !== undefined && s.nodes.get(shown.nodeid) === shown;
    return addKnown(dir, isKnown ? shown : s.nodes.refer(dir, name, node), stat, entry, next, list);
  }

  function addKnown(
    dir: NodeRef,
    ref: NodeRef,
    stat: Stat,
    entry: DirEntry,
    next: number,
    list: DirentList,
  ): boolean {
    const out = s.entryOut(dir, ref, stat, s.invalidation.generation);
    const fits = list.addPlus(entry.name, shownIno(entry.ino), entryType(entry), next, out);
    if (!fits) s.nodes.forget(ref.nodeid, 1);
    return fits;
  }
}
