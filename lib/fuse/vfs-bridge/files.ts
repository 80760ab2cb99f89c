import { FsError } from '../../core/index.js';
import {
  chain,
  openFlagsFrom,
  seekIn,
  type AttrChange,
  type Awaitable,
  type Created,
  type FileHandle,
  type OpenFlags,
  type Op,
  type Stat,
} from '../../vfs/index.js';
import {
  type AttrOut,
  type Call,
  type CreateOut,
  Errno,
  type Filesystem,
  FOPEN_DIRECT_IO,
  FOPEN_KEEP_CACHE,
  FOPEN_NOFLUSH,
  FOPEN_PASSTHROUGH,
  type OpenOut,
  type SetattrIn,
} from '../kernel/index.js';
import { entryOf, shows } from './names.js';
import { isPerOpen, type NodeRef, type OpenFile, sameStamp, type Stamp } from './inode-table.js';
import type { MountState } from './mount-state.js';

type FileHandlers = Pick<
  Filesystem,
  | 'getattr'
  | 'setattr'
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'flush'
  | 'release'
  | 'fsync'
  | 'fallocate'
  | 'lseek'
  | 'tmpfile'
>;

const ESTALE = Errno.of(116);
const SEEK_HOLE = 4;
/** Callers that were sent to look again; more than these are forgotten. */
const MAX_SENT_BACK = 1024;
/** A file that others change may change again within the same tick of its clock. */
const RACY_NS = 2_000_000_000n;

/** What opens files and works on what is open. */
export function fileHandlers(s: MountState): FileHandlers {
  /** Callers that were sent to walk their path again. */
  const sentBack = new Set<number>();
  /** Memory of the last read. */
  let spare: Buffer | undefined;

  return {
    getattr(nodeid, fh, call) {
      const op = s.op(call);
      const ref = s.reached(nodeid, call);
      const since = s.invalidation.generation;
      if (fh === undefined && isPerOpen(ref.node)) s.lookups.look(call.pid);
      const file = fh === undefined ? openOf(ref, call) : s.files.get(fh);
      const stat = file === undefined ? ref.node.stat(op) : file.handle.stat(op);
      if (stat instanceof Promise) return stat.then((known) => s.attrOut(ref, known, since));
      return s.attrOut(ref, stat, since);
    },

    setattr(nodeid, change, call) {
      const op = s.op(call);
      const ref = s.reached(nodeid, call);
      const file = change.fh === undefined ? undefined : s.files.get(change.fh);
      const target = file?.handle ?? ref.node;
      const changed = target.setattr(attrChangeFrom(change), op);
      return chain(changed, (stat): AttrOut => {
        ref.cached = undefined;
        return s.attrOut(ref, stat, s.invalidation.generation);
      });
    },

    open(nodeid, flags, call) {
      const ref = s.ref(nodeid);
      if (ref.node.kind !== 'file')
        throw new FsError(ref.node.kind === 'dir' ? 'EISDIR' : 'ELOOP', 'It is not a file.');
      const wanted = openFlagsFrom(flags);
      if (isPerOpen(ref.node)) {
        const turn = turnOf(ref, call);
        if (turn !== 'go on')
          return chain(turn, (next) => (next === 'open' ? openInTurn(ref, wanted, call) : ESTALE));
      }
      return openNode(ref, wanted, call);
    },

    create(parent, name, flags, mode, call) {
      const op = s.op(call);
      const made = s.dir(parent).create(name, openFlagsFrom(flags), mode & 0o7777, op);
      return chain(made, (file) => created(parent, name, file, op, call));
    },

    tmpfile(parent, name, flags, mode, call) {
      const op = s.op(call);
      const dir = s.dir(parent);
      if (dir.tmpfile === undefined) throw new FsError('EOPNOTSUPP', 'A file must have a name here.');
      const made = dir.tmpfile(openFlagsFrom(flags), mode & 0o7777, op);
      return chain(made, (file) => created(parent, name, file, op, call));
    },

    read(_nodeid, fh, offset, size, call) {
      const { handle } = s.file(fh);
      if (handle.readInto !== undefined) {
        const into = memoryFor(size);
        return filled(into, handle.readInto(offset, into, s.op(call)));
      }
      const bytes = handle.read(offset, size, s.op(call));
      return bytes instanceof Promise ? bytes.then((known) => atMost(known, size)) : atMost(bytes, size);
    },

    write(_nodeid, fh, offset, data, call) {
      const { handle, ref } = s.file(fh);
      const kept = handle.copiesData === true ? data : Buffer.from(data);
      const written = handle.write(offset, kept, s.op(call));
      if (!handle.direct) {
        ref.cached = undefined;
        return written; // its pages are locked, and a notification about them waits for the answer
      }
      return s.noticed(written);
    },

    flush(_nodeid, fh, lockOwner, call) {
      const { handle, ref } = s.file(fh);
      if (s.locks.size === 0) return s.noticed(handle.flush?.(s.op(call)));
      // The close holds its locks until it is done, as the kernel's own locks do.
      return finallyDo(
        () => s.noticed(handle.flush?.(s.op(call))),
        () => s.locks.closed(ref.node.ino, lockOwner),
      );
    },

    release(_nodeid, fh) {
      const file = s.files.remove(fh);
      if (file === undefined) return;
      file.ref.files.delete(file);
      if (file.isOver) s.passthrough.released(file.ref);
      s.locks.released(file.ref.node.ino, fh);
      s.flocks.released(file.ref.node.ino, fh);
      if (isPerOpen(file.ref.node)) s.lookups.lines.released(file.ref);
      return file.handle.release();
    },

    fsync: (_nodeid, fh, dataOnly, call) => s.file(fh).handle.fsync(dataOnly, s.op(call)),

    fallocate(_nodeid, fh, mode, offset, length, call) {
      return s.file(fh).handle.allocate(mode, offset, length, s.op(call));
    },

    lseek: (_nodeid, fh, offset, whence, call) =>
      seekIn(s.file(fh).handle, offset, whence === SEEK_HOLE ? 'hole' : 'data', s.op(call)),
  };

  function openNode(ref: NodeRef, wanted: OpenFlags, call: Call): Awaitable<OpenOut | Errno> {
    const op = s.op(call);
    if (ref.node.kind !== 'file') throw new FsError('EISDIR', 'It is not a file.');
    const handle = ref.node.open(wanted, op);
    if (!(handle instanceof Promise)) return opened(ref, handle, wanted.write, op, call);
    ref.opening += 1;
    return handle
      .finally(() => (ref.opening -= 1))
      .then((known) => opened(ref, known, wanted.write, op, call));
  }

  /** What has become the caller's own is the next one's where it cannot be opened after all. */
  async function openInTurn(ref: NodeRef, wanted: OpenFlags, call: Call): Promise<OpenOut | Errno> {
    ref.opening -= 1;
    try {
      return await openNode(ref, wanted, call);
    } catch (thrown) {
      s.lookups.lines.released(ref);
      throw thrown;
    }
  }

  /** What is open on `ref` and meant by a caller that asks for its attributes: not by one that looked at the name alone. */
  function openOf(ref: NodeRef, call: Call): OpenFile | undefined {
    const file = ref.anyFile;
    if (file === undefined || !isPerOpen(ref.node)) return file;
    return s.lookups.endShown(call.pid, ref) ? undefined : file;
  }

  /**
   * A caller that opens a per-open file that another has open, or is about to open, waits until it is free, or is sent
   * back for a node of its own, once it is its turn. A caller that comes back to the same all the same, because it has no path to walk
   * (/dev/fd/3), shares it.
   */
  function turnOf(ref: NodeRef, call: Call): Awaitable<'open' | 'walk'> | 'go on' {
    const { lookups } = s;
    const { ino } = ref.node;
    const { pid } = call;
    lookups.endShown(pid, ref);
    const wasSentBack = lookups.leave(ino, pid);
    if (pid === 0 || wasSentBack || !(ref.inUse || lookups.isGiven(ino, ref))) return 'go on';
    // Made when it is asked for, which costs.
    const { signal } = call;
    const walk = (): Awaitable<'walk'> => chain(lookups.waitTurn(ino, pid, signal), () => 'walk');
    const standing = lookups.lines.stand(ref, signal);
    return standing === undefined ? walk() : standing.then((isOwn) => (isOwn ? 'open' : walk()));
  }

  /** Memory that serves again where the answer comes at once: it is sent before the next request is taken. */
  function memoryFor(size: number): Buffer {
    const into = spare?.byteLength === size ? spare : Buffer.allocUnsafeSlow(size);
    spare = undefined;
    return into;
  }

  function filled(into: Buffer, count: Awaitable<number>): Awaitable<Uint8Array> {
    if (count instanceof Promise) return count.then((known) => into.subarray(0, known));
    spare = into;
    return into.subarray(0, count);
  }

  /**
   * The node shows another content than what was opened: ESTALE makes the kernel walk the path again, and
   * lookup gives another. A caller that comes back to it all the same, because it has no path to walk
   * (/dev/fd/3), shares it.
   */
  function sendBack(call: Call): boolean {
    if (call.pid === 0) return false;
    // The kernel walks again once: a second ESTALE would reach the caller.
    if (sentBack.delete(call.pid)) return false;
    if (sentBack.size >= MAX_SENT_BACK) sentBack.clear();
    sentBack.add(call.pid);
    return true;
  }

  function created(
    parent: number,
    name: string,
    { node, handle }: Created,
    op: Op,
    call: Call,
  ): Awaitable<CreateOut> {
    const entry = entryOf(s, s.ref(parent), name, node, op, call, s.invalidation.generation);
    return chain(entry, (known): CreateOut => {
      const ref = s.ref(known.nodeid);
      return { entry: known, open: keepOpen(ref, handle, 0, undefined, op) };
    });
  }

  function opened(
    ref: NodeRef,
    handle: FileHandle,
    write: boolean,
    op: Op,
    call: Call,
  ): Awaitable<OpenOut | Errno> {
    // Where nothing was written, or nothing is to be done, it is closed without asking.
    const flush = write && (handle.flush !== undefined || !handle.direct) ? 0 : FOPEN_NOFLUSH;
    if (ref.files.size === 0 && handle.direct) return keep(ref, handle, flush | FOPEN_DIRECT_IO);
    return chain(handle.stat(op), (stat) => {
      if (isPerOpen(ref.node) || shows(ref, stat, op)) return keepOpen(ref, handle, flush, stat, op);
      if (!sendBack(call)) return keep(ref, handle, flush | FOPEN_DIRECT_IO);
      s.nodes.retire(ref);
      return chain(handle.release(), () => ESTALE);
    });
  }

  /** The kernel has it by itself, or through us by way of its page cache, which no inode has both of. */
  function keepOpen(
    ref: NodeRef,
    handle: FileHandle,
    flags: number,
    stat: Stat | undefined,
    op: Op,
  ): OpenOut {
    const over = s.passthrough.flagsFor(ref, handle, op);
    if (over === 0) return keep(ref, handle, flags | openMode(ref, handle, stat));
    ref.cached = undefined;
    return keep(ref, handle, flags | over);
  }

  /** FOPEN_KEEP_CACHE where the pages that the kernel has are those of `stat`. */
  function openMode(ref: NodeRef, handle: FileHandle, stat: Stat | undefined): number {
    if (handle.direct) return FOPEN_DIRECT_IO;
    if (stat === undefined) return 0;
    const same = ref.cached !== undefined && sameStamp(ref.cached, stat);
    ref.cached = ref.node.freshness === 'announced' || isSettled(stat) ? stampOf(stat) : undefined;
    return same ? FOPEN_KEEP_CACHE : 0;
  }

  function keep(ref: NodeRef, handle: FileHandle, openFlags: number): OpenOut {
    const isOver = (openFlags & FOPEN_PASSTHROUGH) !== 0;
    const file: OpenFile = { ref, handle, isOver };
    ref.files.add(file);
    if (isPerOpen(ref.node)) s.lookups.lines.opened(ref);
    return { fh: s.files.add(file), openFlags, backingId: isOver ? ref.backing?.id : undefined };
  }
}

function finallyDo<T>(act: () => Awaitable<T>, then: () => void): Awaitable<T> {
  let done;
  try {
    done = act();
  } catch (thrown) {
    then();
    throw thrown;
  }
  if (done instanceof Promise) return done.finally(then);
  then();
  return done;
}

function stampOf(stat: Stat): Stamp {
  return { size: stat.size, mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs };
}

function isSettled(stat: Stat): boolean {
  return BigInt(Date.now()) * 1_000_000n - stat.ctimeNs > RACY_NS;
}

function atMost(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteLength > size ? bytes.subarray(0, size) : bytes;
}

function attrChangeFrom({ fh: _fh, mode, ...rest }: SetattrIn): AttrChange {
  return mode === undefined ? rest : { ...rest, mode: mode & 0o7777 };
}
