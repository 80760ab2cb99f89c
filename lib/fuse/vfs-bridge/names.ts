import { FsError } from '../../core/index.js';
import { S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/index.js';
import { chain, type Awaitable, type Node, type OpenFlags, type Op, type Stat } from '../../vfs/index.js';
import type { Call, EntryOut, Filesystem } from '../kernel/index.js';
import { isPerOpen, type NodeRef, sameStamp } from './inode-table.js';
import type { MountState } from './mount-state.js';

const RENAME_EXCHANGE = 2;
const R_OK = 4;
const W_OK = 2;
const NEW_FILE: OpenFlags = { read: false, write: true, append: false, truncate: false, exclusive: true };

type NameHandlers = Pick<
  Filesystem,
  'lookup' | 'forget' | 'mkdir' | 'mknod' | 'symlink' | 'link' | 'unlink' | 'rmdir' | 'rename' | 'readlink'
>;

/** What finds, makes and removes names. */
export function nameHandlers(s: MountState): NameHandlers {
  return {
    lookup(parent, name, call) {
      const op = s.op(call);
      const dir = s.dir(parent);
      const since = s.invalidation.generation;
      const found = dir.lookup(name, op);
      if (found instanceof Promise)
        return found.then((node) => lookedUp(parent, name, node, op, call, since));
      return lookedUp(parent, name, found, op, call, since);
    },
    forget: (nodeid, count) => s.nodes.forget(nodeid, count),
    mkdir(parent, name, mode, call) {
      const op = s.op(call);
      const made = s.dir(parent).mkdir(name, mode & 0o7777, op);
      return chain(made, (node) => fresh(parent, name, node, op, call));
    },
    mknod(parent, name, mode, _rdev, call) {
      const op = s.op(call);
      const dir = s.dir(parent);
      const type = mode & S_IFMT;
      const special = type === S_IFIFO ? 'pipe' : type === S_IFSOCK ? 'socket' : undefined;
      if (special !== undefined && dir.mknod !== undefined)
        return chain(dir.mknod(name, special, mode & 0o7777, op), (node) =>
          fresh(parent, name, node, op, call),
        );
      if (type !== S_IFREG && type !== 0)
        throw new FsError('EPERM', 'Devices cannot be made in a mount; pipes and sockets in exports alone.');
      // `tar --xattrs` makes its files so.
      const made = dir.create(name, NEW_FILE, mode & 0o7777, op);
      return chain(made, ({ node, handle }) =>
        chain(handle.release(), () => fresh(parent, name, node, op, call)),
      );
    },
    symlink(parent, name, target, call) {
      const op = s.op(call);
      const made = s.dir(parent).symlink(name, target, op);
      return chain(made, (node) => fresh(parent, name, node, op, call));
    },
    link(nodeid, newParent, newName, call) {
      const op = s.op(call);
      const made = s.dir(newParent).link(s.node(nodeid), newName, op);
      return chain(made, (node) => fresh(newParent, newName, node, op, call));
    },
    unlink: (parent, name, call) =>
      chain(s.dir(parent).unlink(name, s.op(call)), () => s.nodes.dropChild(s.ref(parent), name)),
    rmdir: (parent, name, call) =>
      chain(s.dir(parent).rmdir(name, s.op(call)), () => s.nodes.dropChild(s.ref(parent), name)),
    rename(parent, name, newParent, newName, flags, call) {
      const done = s.dir(parent).rename(name, s.dir(newParent), newName, flags, s.op(call));
      return chain(done, () =>
        s.nodes.moveChild(s.ref(parent), name, s.ref(newParent), newName, (flags & RENAME_EXCHANGE) !== 0),
      );
    },
    readlink(nodeid, call) {
      const ref = s.ref(nodeid);
      if (ref.node.kind !== 'symlink') throw new FsError('EINVAL', 'It is not a symbolic link.');
      const answer = ref.node.readlink(s.op(call));
      const { linkRule } = s.options;
      if (linkRule === undefined) return answer;
      return chain(answer, (target) => {
        linkRule(ref.path, target);
        return target;
      });
    },
  };

  function lookedUp(
    parent: number,
    name: string,
    node: Node,
    op: Op,
    call: Call,
    since: number,
  ): Awaitable<EntryOut> {
    const entry = (): Awaitable<EntryOut> => entryOf(s, s.ref(parent), name, node, op, call, since);
    return isClosedTo(op, node) ? chain(node.access(R_OK | W_OK, op), entry) : entry();
  }

  function fresh(parent: number, name: string, node: Node, op: Op, call: Call): Awaitable<EntryOut> {
    return entryOf(s, s.ref(parent), name, node, op, call, s.invalidation.generation);
  }
}

/**
 * Whether a pipe or socket must be proven to be open to the caller. The kernel opens those by itself and looks at no
 * mode: another user than the mount's own shall see only what it may read and write. No mount lets devices be opened.
 */
export function isClosedTo({ caller }: Op, node: Node): boolean {
  if (caller?.isGuest !== true || node.kind !== 'file') return false;
  return node.special === 'pipe' || node.special === 'socket';
}

/** The answer where `node` was found as `name` in `parent`. Counts a lookup. */
export function entryOf(
  s: MountState,
  parent: NodeRef,
  name: string,
  node: Node,
  op: Op,
  call: Call,
  since: number,
): Awaitable<EntryOut> {
  return chain(lastKnownStatOf(s, node) ?? node.cachedStat?.(op) ?? node.stat(op), (stat) =>
    s.entryOut(parent, refOf(s, parent, name, node, stat, op, call), stat, since),
  );
}

/**
 * The kernel asks for the attributes of a live file again before it shows them (they come with a validity
 * of 0), so that those that are known will do for the walk, unless they choose between what is open.
 */
function lastKnownStatOf(s: MountState, node: Node): Stat | undefined {
  if (node.kind !== 'file' || node.freshness !== 'live' || s.nodes.isInUse(node.ino)) return undefined;
  return node.lastKnownStat?.();
}

function refOf(
  s: MountState,
  parent: NodeRef,
  name: string,
  node: Node,
  stat: Stat,
  op: Op,
  call: Call,
): NodeRef {
  if (!isPerOpen(node)) return s.nodes.refer(parent, name, node, (ref) => shows(ref, stat, op));
  const { lookups, nodes } = s;
  const { ino } = node;
  const { pid } = call;
  // Somebody outside of our pid namespace has no place in the queue, and gets a node of its own at once.
  if (pid === 0) return nodes.refer(parent, name, node, () => false);
  if (!lookups.enter(ino, pid)) {
    const shown = lookups.shown(ino);
    const ref =
      shown !== undefined && nodes.get(shown.nodeid) === shown ? shown : nodes.refer(parent, name, node);
    lookups.recordShown(pid, ref);
    return ref;
  }
  const given = lookups.given(ino, pid);
  if (given !== undefined && !given.inUse && nodes.get(given.nodeid) === given) return given;
  const ref = nodes.refer(parent, name, node, (found) => !found.inUse && !lookups.isGiven(ino, found));
  lookups.give(ino, pid, ref);
  return ref;
}

/** Whether what is open on `ref` is what `stat` describes. */
export function shows(ref: NodeRef, stat: Stat, op: Op): boolean {
  const file = ref.anyFile;
  if (file === undefined || ref.node.freshness === 'shared') return true;
  const open = file.handle.stat(op);
  if (!(open instanceof Promise)) return sameStamp(open, stat);
  open.catch(() => undefined);
  return false;
}
