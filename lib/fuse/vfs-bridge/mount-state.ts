import { FsError, type Log } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import type { Awaitable, Caller, DirEntry, DirNode, Node, Op, Stat, Vfs } from '../../vfs/index.js';
import type { AttrOut, BackingFiles, Call, EntryOut, Notifier } from '../kernel/index.js';
import { Passthrough } from './passthrough.js';
import { HandleTable } from './handle-table.js';
import { Invalidation } from './invalidation.js';
import { LockTable } from './lock-table.js';
import { isPerOpen, type NodeRef, InodeTable, type OpenFile } from './inode-table.js';
import { LookupQueue } from './lookup-queue.js';
import { attrFromStat, type Owner, VALID_MS } from './translate.js';

export interface MountStateOptions {
  readonly sessionOf: (caller: Caller | undefined) => Session;
  readonly owner: Owner;
  /** Null: the kernel lets nobody else in. Else only these uids are answered. */
  readonly allowedUids: ReadonlySet<number> | null;
  /** Whom local users act as in exports of other machines. */
  readonly remoteUids?: ReadonlyMap<number, number> | undefined;
  readonly linkRule?: ((names: readonly string[], target: string) => void) | undefined;
  readonly log: Log;
}

/** A directory that is open, with its listing once it was asked for. */
export interface OpenDir {
  readonly ref: NodeRef;
  entries: readonly DirEntry[] | undefined;
}

/** What all handlers of one mount share. */
export class MountState {
  readonly vfs: Vfs;
  readonly options: MountStateOptions;
  readonly notifier: Notifier;
  readonly nodes: InodeTable;
  readonly files = new HandleTable<OpenFile>();
  readonly dirs = new HandleTable<OpenDir>();
  readonly invalidation: Invalidation;
  readonly passthrough: Passthrough;
  readonly lookups = new LookupQueue();
  /** Of fcntl(2). */
  readonly locks = new LockTable();
  /** Of flock(2). */
  readonly flocks = new LockTable();

  constructor(vfs: Vfs, notifier: Notifier, options: MountStateOptions, backing?: BackingFiles) {
    this.vfs = vfs;
    this.options = options;
    this.notifier = notifier;
    this.nodes = new InodeTable(vfs.root);
    this.passthrough = new Passthrough(backing, options.owner);
    this.invalidation = new Invalidation(this.nodes, notifier);
  }

  /** @throws FsError EACCES where the caller is another user than those that are let in. */
  op(call: Call): Op {
    const { allowedUids, sessionOf } = this.options;
    if (allowedUids !== null && !allowedUids.has(call.uid))
      throw new FsError('EACCES', `User ${call.uid} is not let in.`, { hint: 'Add --allow-uid.' });
    return new CallOp(sessionOf(call), call, this);
  }

  ref(nodeid: number): NodeRef {
    const ref = this.nodes.get(nodeid);
    if (ref === undefined) throw new FsError('ESTALE', 'The kernel asks for a node that it has forgotten.');
    return ref;
  }

  /** What `call` is about, where it found it itself: the next caller that looks for it may. */
  reached(nodeid: number, call: Call): NodeRef {
    const ref = this.ref(nodeid);
    if (isPerOpen(ref.node)) this.lookups.leave(ref.node.ino, call.pid);
    return ref;
  }

  node(nodeid: number): Node {
    return this.ref(nodeid).node;
  }

  dir(nodeid: number): DirNode {
    const { node } = this.ref(nodeid);
    if (node.kind !== 'dir') throw new FsError('ENOTDIR', 'It is not a directory.');
    return node;
  }

  file(fh: number): OpenFile {
    const file = this.files.get(fh);
    if (file === undefined) throw new FsError('EBADF', 'The descriptor is not open.');
    return file;
  }

  openDir(fh: number): OpenDir {
    const dir = this.dirs.get(fh);
    if (dir === undefined) throw new FsError('EBADF', 'The directory is not open.');
    return dir;
  }

  /**
   * Where changes came while an answer was made (`since` is the generation at its start), it may be from
   * before them: the kernel shall not keep it.
   */
  attrOut(ref: NodeRef, stat: Stat, since: number): AttrOut {
    const keep = since === this.invalidation.generation && !this.#isGate(ref);
    return {
      attr: attrFromStat(stat, this.options.owner),
      attrValidMs: keep ? this.#validMs(ref.node) : 0,
    };
  }

  #validMs(node: Node): number {
    return Math.min(VALID_MS[node.freshness], node.leftMs?.() ?? Infinity);
  }

  /** Counts a lookup of `ref`. */
  entryOut(parent: NodeRef, ref: NodeRef, stat: Stat, since: number): EntryOut {
    ref.lookups += 1;
    const keep = since === this.invalidation.generation;
    const own = this.#validMs(ref.node);
    const gate = this.#isGate(parent) || this.#isForEach(parent) ? 0 : Infinity;
    return {
      nodeid: ref.nodeid,
      entryValidMs: keep ? Math.min(own, VALID_MS[parent.node.freshness], gate) : 0,
      attr: attrFromStat(stat, this.options.owner),
      attrValidMs: keep ? own : 0,
    };
  }

  /** Where others are let in, the root and each walk from it are checked for each caller. */
  #isGate(ref: NodeRef): boolean {
    return this.options.allowedUids !== null && ref === this.nodes.root;
  }

  /**
   * Where others are let in, names of exports are asked for at each walk as well: whether a directory may be
   * searched is for the host to say, of each user.
   */
  #isForEach(parent: NodeRef): boolean {
    const { allowedUids } = this.options;
    return allowedUids !== null && allowedUids.size > 1 && parent.node.freshness === 'shared';
  }

  /**
   * Gives `answer` once the kernel has taken in what changed on the way to it. Not for a caller that holds the
   * lock of a file that can be removed (setattr, fsync, fallocate): a caller that removes it waits for that lock and
   * holds the directory's, for which the kernel waits to take in a name.
   */
  noticed<T>(answer: Awaitable<T>): Awaitable<T> {
    if (answer instanceof Promise) {
      return answer.then(
        (value) => this.#settled(value),
        async (thrown: unknown) => {
          await this.notifier.settled();
          throw thrown;
        },
      );
    }
    return this.#settled(answer);
  }

  #settled<T>(value: T): Awaitable<T> {
    return this.notifier.settled()?.then(() => value) ?? value;
  }
}

class CallOp implements Op {
  readonly session: Session;
  readonly origin: MountState;
  readonly #call: Call;

  constructor(session: Session, call: Call, mount: MountState) {
    this.session = session;
    this.origin = mount;
    this.#call = call;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get masked(): number {
    return this.#call.masked;
  }

  get remoteUid(): number | undefined {
    return this.origin.options.remoteUids?.get(this.#call.uid);
  }

  get caller(): Caller {
    const { uid, gid, pid } = this.#call;
    return { uid, gid, pid, isGuest: uid !== this.origin.options.owner.uid };
  }
}
