import { byteLengthOfText, FsError } from '../core/index.js';
import { MAX_NAME_BYTES, MAX_PATH_BYTES, type FsRequest, type WireAttributes } from '../protocol/index.js';
import {
  type Awaitable,
  type Created,
  type DirEntry,
  type DirNode,
  type FileHandle,
  type FileNode,
  type Freshness,
  type Node,
  type OpenFlags,
  type Op,
  type Stat,
  type SymlinkNode,
} from '../vfs/index.js';
import type { FsAnswer } from './pending-requests.js';
import { KEPT_ENTRIES, LEARNED_ENTRIES } from './listing-budget.js';
import { RemoteBase } from './remote-base.js';
import { RemoteHandle, RemoteSnapshot } from './remote-handle.js';
import type { RequestOp } from './remote-view.js';
import { moreThanAsked } from './tunnel-errors.js';
import { statFromAttributes, wireFromOpenFlags } from './wire-stat.js';

export type RemoteNode = RemoteDir | RemoteFile | RemoteSymlink;

/** Documents up to this size come with the answer to `open`, and are kept. */
const INLINE_BYTES = 64 * 1024;

export class RemoteFile extends RemoteBase implements FileNode {
  readonly kind = 'file';
  /** Rises when the content may have changed. */
  dataVersion = 0;
  /** What is live and can be written to is taken for one: the answer to a write comes from afar. */
  conversation = false;

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    this.admit(op);
    if (flags.write || this.freshness !== 'announced') return this.#open(flags, op);
    const cached = this.view.host.contents.get(this);
    if (cached === undefined || cached.epoch !== this.view.epoch) return this.#open(flags, op);
    this.view.checkCacheUsable();
    return new RemoteSnapshot(this, cached.bytes, cached.stat, cached.direct);
  }

  glimpse(): Stat | undefined {
    return this.parent?.glimpseOf(this.name);
  }

  async openRemote(
    flags: OpenFlags,
    op: RequestOp,
    inline: number,
  ): Promise<FsAnswer<'open'> & { generation: number }> {
    const answer = await this.ask('open', { flags: wireFromOpenFlags(flags), inline }, op);
    return { ...answer, generation: this.view.generation };
  }

  /** @throws FsError unless this session may read it now. */
  async proveReadable(op: Op): Promise<void> {
    await this.ask('access', { mask: 4 }, op);
  }

  override invalidate(sequence: number, what: 'attr' | 'data', name: string | undefined): void {
    super.invalidate(sequence, what, name);
    this.view.host.contents.delete(this);
    if (what === 'data') this.dataVersion++;
  }

  protected override self(): RemoteNode {
    return this;
  }

  async #open(flags: OpenFlags, op: Op): Promise<FileHandle> {
    if (flags.truncate) this.touched();
    const { sequence } = this.view;
    const inline = flags.read && !flags.write ? INLINE_BYTES : 0;
    const { payload, data, generation } = await this.openRemote(flags, op, inline);
    if (flags.truncate) this.touched();
    if ((data?.byteLength ?? 0) > inline) throw moreThanAsked();
    const { attr, fixed, closed, direct = true, handle } = payload;
    if (attr !== undefined) {
      const stat = statFromAttributes(attr, this.ino);
      if (!flags.truncate) this.remember(stat, sequence, undefined);
      if (fixed === true && data !== undefined && data.byteLength === stat.size) {
        if (closed !== true) this.view.closeHandle(handle, generation);
        const bytes = Uint8Array.from(data);
        if (this.freshness === 'announced' && this.view.isFresh(sequence, this))
          this.view.host.contents.set(this, { bytes, stat, direct, epoch: this.view.epoch });
        return new RemoteSnapshot(this, bytes, stat, direct);
      }
    }
    return new RemoteHandle(this, flags, generation, payload, data);
  }
}

export class RemoteSymlink extends RemoteBase implements SymlinkNode {
  readonly kind = 'symlink';

  async readlink(op: Op): Promise<string> {
    const { target } = (await this.ask('readlink', {}, op)).payload;
    if (byteLengthOfText(target) > MAX_PATH_BYTES)
      throw new FsError('EIO', 'The far side says that the link is longer than a path may be.');
    this.view.host.linkRule?.(this.path, target);
    return target;
  }

  protected override self(): RemoteNode {
    return this;
  }
}

/** A path through `/proc` or a call of Linux has no more parts. */
const MAX_DEPTH = 2048;

/** What is known of a name in a directory. */
interface Child {
  readonly number: number;
  readonly ino: bigint;
  /** The inode number as the far side said it on the connection of `generation`. */
  readonly theirs: string | undefined;
  readonly generation: number;
  readonly kind: 'dir' | 'file' | 'symlink';
  readonly freshness: Freshness;
  /** Absent for live files: each lookup gives a node of its own. */
  readonly node: RemoteNode | undefined;
  readonly conversation: boolean;
  /** Known as of this epoch and generation; older only helps to keep the node's identity. */
  epoch: number;
  /** Of a live file: the attributes that were seen last. */
  glimpse: Stat | undefined;
}

interface Found extends WireAttributesOfEntry {
  readonly node: number;
}
type WireAttributesOfEntry = Partial<WireAttributes> & { readonly kind: WireAttributes['kind'] };

export class RemoteDir extends RemoteBase implements DirNode {
  readonly kind = 'dir';
  /** The view's sequence when all below it was void for the last time. */
  treeSequence = 0;
  readonly #children = new Map<string, Child>();
  #listing: { readonly entries: readonly DirEntry[]; readonly epoch: number } | undefined;

  lookup(name: string, op: Op): Awaitable<Node> {
    // Every door looks a name up before it makes, moves or removes it.
    if (byteLengthOfText(name) > MAX_NAME_BYTES)
      throw new FsError('ENAMETOOLONG', 'A name has at most 255 bytes.');
    if (this.depth >= MAX_DEPTH)
      throw new FsError('ENAMETOOLONG', `Directories are nested more than ${MAX_DEPTH} deep.`);
    this.admit(op);
    const child = this.#children.get(name);
    if (child !== undefined && child.epoch === this.view.epoch) {
      // While nobody can be asked, the last that was known of a name stands in, but not for live files.
      if (this.freshness === 'announced' || (!this.view.connected && child.node !== undefined)) {
        this.view.checkCacheUsable();
        return this.#nodeOfChild(name, child);
      }
      // What was listed a moment ago is not looked up one by one.
      if (child.freshness === 'shared' && child.node?.knownStat() !== undefined) return child.node;
    }
    return this.#lookup(name, op);
  }

  list(op: Op): Awaitable<readonly DirEntry[]> {
    this.admit(op);
    const known = this.#listing;
    const good = this.freshness === 'announced' || !this.view.connected;
    if (known === undefined || known.epoch !== this.view.epoch || !good) return this.#list(op);
    this.view.checkCacheUsable();
    return known.entries;
  }

  async create(name: string, flags: OpenFlags, mode: number, op: Op): Promise<Created> {
    this.touched();
    const { payload } = await this.ask('create', { name, perm: mode, flags: wireFromOpenFlags(flags) }, op);
    const { generation } = this.view;
    this.touched();
    const found = { ...payload.attr, kind: 'file' as const, node: payload.node };
    const node = this.adopt(name, found, this.view.sequence, op);
    if (node.kind !== 'file') throw new FsError('EPROTO', 'The far side created something that is no file.');
    return { node, handle: new RemoteHandle(node, flags, generation, payload, undefined) };
  }

  async mkdir(name: string, mode: number, op: Op): Promise<DirNode> {
    const made = await this.#make('mkdir', name, { name, perm: mode }, op);
    if (made.kind !== 'dir') throw new FsError('EPROTO', 'The far side made something that is no directory.');
    return made;
  }

  async symlink(name: string, target: string, op: Op): Promise<SymlinkNode> {
    const made = await this.#make('symlink', name, { name, target }, op);
    if (made.kind !== 'symlink')
      throw new FsError('EPROTO', 'The far side made something that is no symlink.');
    return made;
  }

  async link(target: Node, name: string, op: Op): Promise<Node> {
    const mine = this.#nodeOfThisTree(target);
    mine.touched();
    return this.#make('link', name, { name, target_node: await mine.number(op) }, op);
  }

  async unlink(name: string, op: Op): Promise<void> {
    await this.#remove('unlink', name, op);
  }

  async rmdir(name: string, op: Op): Promise<void> {
    await this.#remove('rmdir', name, op);
  }

  async rename(name: string, toDir: DirNode, toName: string, flags: number, op: Op): Promise<void> {
    const to = this.#nodeOfThisTree(toDir);
    if (to.kind !== 'dir') throw new FsError('ENOTDIR', 'The target is not a directory.');
    const moved = this.#children.get(name)?.node;
    try {
      await this.ask('rename', { name, to_node: await to.number(op), to_name: toName, flags }, op);
    } finally {
      this.touched();
      to.touched();
      this.#gone(name);
      to.#gone(toName);
    }
    if (moved !== undefined) {
      moved.parent = to;
      moved.name = toName;
      moved.touched();
    }
  }

  async fsync(op: Op): Promise<void> {
    await this.ask('fsync', {}, op);
  }

  override invalidate(sequence: number, what: 'attr' | 'data', name: string | undefined): void {
    super.invalidate(sequence, what, name);
    if (what === 'attr') return;
    this.#listing = undefined;
    if (name === undefined) for (const child of this.#children.values()) child.epoch = -1;
    else if (this.#children.has(name)) this.#children.get(name)!.epoch = -1;
  }

  /** Lets go of all that is known of names, here and below. */
  dropChildren(): void {
    this.#children.clear();
    this.#listing = undefined;
  }

  /** The node that an answer to a request sent at `sequence` speaks of; one that is known already stays itself. */
  adopt(name: string, found: Found, sequence: number, op: RequestOp): RemoteNode {
    const { view } = this;
    const freshness = found.freshness ?? 'shared';
    const before = this.#children.get(name);
    const isSaidBefore =
      found.ino !== undefined && before?.theirs === found.ino && before.generation === view.generation;
    const ino = isSaidBefore ? before.ino : view.host.inoFrom(found.ino);
    const same =
      before !== undefined &&
      before.ino === ino &&
      before.kind === found.kind &&
      before.freshness === freshness;
    const node = (same ? before.node : undefined) ?? this.#newNode(name, found.kind, ino, freshness);
    const kept = freshness === 'live' && found.kind === 'file' ? undefined : node;
    if (!node.isNumbered(found.node)) {
      node.numbered(found.node);
      view.register(found.node, ino, kept, { dir: this, name });
    }
    const conversation =
      found.mode === undefined
        ? same && before.conversation
        : found.kind === 'file' && freshness === 'live' && found.mode.includes('w');
    if (node.kind === 'file') node.conversation = conversation;
    this.#children.set(name, {
      number: found.node,
      ino,
      theirs: found.ino,
      generation: view.generation,
      kind: found.kind,
      freshness,
      node: kept,
      conversation,
      epoch: view.isFresh(sequence, this) ? view.epoch : -1,
      glimpse: same ? before.glimpse : undefined,
    });
    if (found.size !== undefined && found.mode !== undefined)
      node.remember(statFromAttributes(found as WireAttributes, ino), sequence, op);
    return node;
  }

  /** The attributes that its live file `name` had a moment ago, as far as they are known. */
  glimpseOf(name: string): Stat | undefined {
    const child = this.#children.get(name);
    return child?.epoch === this.view.epoch ? child.glimpse : undefined;
  }

  glimpsed(name: string, stat: Stat): void {
    const child = this.#children.get(name);
    if (child?.ino === stat.ino) child.glimpse = stat;
  }

  protected override self(): RemoteNode {
    return this;
  }

  #learn(freshness: Freshness | undefined): void {
    if (freshness !== undefined) this.freshness = freshness;
  }

  #newNode(name: string, kind: Child['kind'], ino: bigint, freshness: Freshness): RemoteNode {
    const Kind = kind === 'dir' ? RemoteDir : kind === 'file' ? RemoteFile : RemoteSymlink;
    return new Kind(this.view, this, name, ino, freshness);
  }

  #nodeOfChild(name: string, child: Child): RemoteNode {
    if (child.node !== undefined) return child.node;
    const node = this.#newNode(name, child.kind, child.ino, child.freshness);
    if (node.kind === 'file') node.conversation = child.conversation;
    node.numbered(child.number);
    return node;
  }

  async #lookup(name: string, op: Op): Promise<Node> {
    const { sequence } = this.view;
    const { payload } = await this.ask('lookup', { name }, op);
    this.#learn(payload.dir);
    return this.adopt(name, payload, sequence, op);
  }

  async #list(op: Op): Promise<readonly DirEntry[]> {
    const { sequence, epoch } = this.view;
    const entries: DirEntry[] = [];
    const count = this.view.host.listings.begin();
    try {
      for (let cookie = 0, eof = false; !eof;) {
        const plus = count.entries < LEARNED_ENTRIES;
        const { payload } = await this.ask('readdirp', { cookie, plus }, op);
        count.add(payload.entries);
        this.#learn(payload.dir);
        for (const entry of payload.entries) entries.push(this.#entryFrom(entry, sequence, op));
        eof = payload.eof || payload.next <= cookie;
        cookie = payload.next;
        if (!eof && op.signal.aborted) throw FsError.from(op.signal.reason);
      }
    } finally {
      count.end();
    }
    const isKept = entries.length <= KEPT_ENTRIES && epoch === this.view.epoch;
    if (isKept && this.view.isFresh(sequence, this)) this.#listing = { entries, epoch };
    return entries;
  }

  #entryFrom(
    entry: WireAttributesOfEntry & { readonly name: string; readonly node?: number | undefined },
    sequence: number,
    op: RequestOp,
  ): DirEntry {
    const { name, kind, node: number } = entry;
    if (number === undefined) return { name, kind, ino: this.view.host.inoFrom(entry.ino) };
    const node = this.adopt(name, { ...entry, node: number }, sequence, op);
    return { name, kind, ino: node.ino, ...(node.freshness === 'live' ? {} : { node }) };
  }

  async #make<Name extends 'mkdir' | 'symlink' | 'link'>(
    type: Name,
    name: string,
    payload: FsRequest<Name>,
    op: Op,
  ): Promise<RemoteNode> {
    this.touched();
    const answer = await this.ask(type, payload, op);
    this.touched();
    return this.adopt(name, answer.payload, this.view.sequence, op);
  }

  async #remove(type: 'unlink' | 'rmdir', name: string, op: Op): Promise<void> {
    try {
      await this.ask(type, { name }, op);
    } finally {
      this.touched();
      this.#children.get(name)?.node?.touched();
      this.#gone(name);
    }
  }

  #gone(name: string): void {
    this.#children.delete(name);
  }

  /** @throws FsError EXDEV for a node of another tree. */
  #nodeOfThisTree(node: Node): RemoteNode {
    if (isRemote(node) && node.view === this.view) return node;
    throw new FsError('EXDEV', 'The two are not on the same filesystem.');
  }
}

function isRemote(node: Node | RemoteNode): node is RemoteNode {
  return node instanceof RemoteBase;
}
