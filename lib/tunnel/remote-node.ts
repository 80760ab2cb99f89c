import { FsError } from '../core/index.js';
import { ROOT_NODE, type FsMessageName, type FsRequest, type WireAttributes } from '../protocol/index.js';
import {
  checkAccess,
  type AttrChange,
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
  type StatFs,
  type SymlinkNode,
} from '../vfs/index.js';
import { lostError, type FsAnswer } from './fs-client.js';
import { RemoteHandle, RemoteSnapshot } from './remote-handle.js';
import type { RemoteView, RequestOp } from './remote-view.js';
import { statFromAttributes, statFsFromWire, wireFromChange, wireFromOpenFlags } from './wire-stat.js';

export type RemoteNode = RemoteDir | RemoteFile | RemoteSymlink;

/** Documents up to this size come with the answer to `open`, and are kept. */
const INLINE_BYTES = 64 * 1024;

interface KnownAttributes {
  readonly stat: Stat;
  readonly epoch: number;
  readonly untilMs: number;
}

/** What nodes at the far side share: the number that stands for them, and attributes as long as they hold. */
abstract class RemoteBase {
  abstract readonly kind: 'dir' | 'file' | 'symlink';
  readonly view: RemoteView;
  readonly ino: bigint;
  /** That of a connection's root is learned with the first answer about it. */
  freshness: Freshness;
  /** Where it was found, to find it again on another connection. A rename moves it. */
  parent: RemoteDir | undefined;
  name: string;
  /** The view's sequence at the last invalidation of this node. */
  invalidSequence = 0;
  #number = ROOT_NODE;
  #generation = -1;
  #attributes: KnownAttributes | undefined;

  constructor(
    view: RemoteView,
    parent: RemoteDir | undefined,
    name: string,
    ino: bigint,
    freshness: Freshness,
  ) {
    this.view = view;
    this.parent = parent;
    this.name = name;
    this.ino = ino;
    this.freshness = freshness;
  }

  stat(op: Op): Awaitable<Stat> {
    this.view.notice(op.session);
    const known = this.knownStat();
    return known ?? this.#askStat(op);
  }

  async setattr(change: AttrChange, op: Op): Promise<Stat> {
    this.touched();
    const { payload } = await this.ask('setattr', wireFromChange(change), op);
    this.touched();
    return statFromAttributes(payload, this.ino);
  }

  access(mask: number, op: Op): Awaitable<void> {
    this.view.notice(op.session);
    const known = this.freshness === 'announced' ? this.knownStat() : undefined;
    return known === undefined ? this.#askAccess(mask, op) : checkAccess(known, mask);
  }

  async getxattr(name: string, op: Op): Promise<Uint8Array> {
    const { payload } = await this.ask('getxattr', { name }, op);
    return Buffer.from(payload.value_b64, 'base64');
  }

  async setxattr(name: string, value: Uint8Array, flags: number, op: Op): Promise<void> {
    this.touched();
    await this.ask('setxattr', { name, value_b64: Buffer.from(value).toString('base64'), flags }, op);
  }

  async listxattr(op: Op): Promise<readonly string[]> {
    return (await this.ask('listxattr', {}, op)).payload.names;
  }

  async removexattr(name: string, op: Op): Promise<void> {
    this.touched();
    await this.ask('removexattr', { name }, op);
  }

  async statfs(op: Op): Promise<StatFs> {
    return statFsFromWire((await this.ask('statfs', {}, op)).payload);
  }

  /** Attributes that still hold, if there are any; of directories the last ones while nobody can be asked. */
  knownStat(): Stat | undefined {
    const known = this.#attributes;
    if (known === undefined || known.epoch !== this.view.epoch) return undefined;
    if (performance.now() > known.untilMs && (this.kind !== 'dir' || this.view.connected)) return undefined;
    this.view.checkCacheUsable();
    return known.stat;
  }

  /** Keeps attributes that came with an answer to a request sent at `sequence`. */
  remember(stat: Stat, sequence: number): void {
    if (!this.view.isFresh(sequence, this.self())) return;
    const untilMs =
      this.freshness === 'announced'
        ? Infinity
        : this.freshness === 'shared'
          ? performance.now() + this.view.host.sharedMs
          : -Infinity;
    this.#attributes = { stat, epoch: this.view.epoch, untilMs };
  }

  /** We changed it ourselves: what is known of it no longer holds. */
  touched(): void {
    this.invalidate(++this.view.sequence, 'data', undefined);
  }

  invalidate(sequence: number, _what: 'attr' | 'data', _name: string | undefined): void {
    this.invalidSequence = sequence;
    this.#attributes = undefined;
  }

  /** `number` stands for this node on the present connection. */
  numbered(number: number): void {
    this.#number = number;
    this.#generation = this.view.generation;
  }

  isNumbered(number: number): boolean {
    return this.#number === number && this.#generation === this.view.generation;
  }

  /** The number on the present connection; found again by path where the connection is another one. */
  number(op: RequestOp): Awaitable<number> {
    if (this.parent === undefined) return ROOT_NODE;
    if (this.#generation === this.view.generation) return this.#number;
    return this.#findAgain(op);
  }

  /** Asks about this node; once more, found anew, where the far side no longer knows its number. */
  async ask<Name extends FsMessageName>(
    name: Name,
    payload: FsRequest<Name>,
    op: RequestOp,
  ): Promise<FsAnswer<Name>> {
    if (!this.view.connected) throw lostError();
    try {
      return await this.view.request(name, { node: await this.number(op) }, payload, op);
    } catch (thrown) {
      if (this.parent === undefined || FsError.from(thrown).code !== 'ESTALE') throw thrown;
      return this.view.request(name, { node: await this.#findAgain(op) }, payload, op);
    }
  }

  protected abstract self(): RemoteNode;

  async #findAgain(op: RequestOp): Promise<number> {
    if (this.parent === undefined) return ROOT_NODE;
    const directory = await this.parent.number(op);
    const { payload } = await this.view.request('lookup', { node: directory }, { name: this.name }, op);
    if (payload.kind !== this.kind)
      throw new FsError('ESTALE', `${JSON.stringify(this.name)} is no longer what it was.`);
    this.numbered(payload.node);
    this.view.register(payload.node, this.ino, this.self());
    return payload.node;
  }

  async #askStat(op: Op): Promise<Stat> {
    const { sequence } = this.view;
    const { payload } = await this.ask('getattr', {}, op);
    const stat = statFromAttributes(payload, this.ino);
    this.remember(stat, sequence);
    return stat;
  }

  async #askAccess(mask: number, op: Op): Promise<void> {
    await this.ask('access', { mask }, op);
  }
}

export class RemoteFile extends RemoteBase implements FileNode {
  readonly kind = 'file';
  /** Rises when the content may have changed. */
  dataVersion = 0;

  open(flags: OpenFlags, op: Op): Awaitable<FileHandle> {
    this.view.notice(op.session);
    if (flags.write || this.freshness !== 'announced') return this.#open(flags, op);
    const cached = this.view.host.contents.get(this);
    if (cached === undefined || cached.epoch !== this.view.epoch) return this.#open(flags, op);
    this.view.checkCacheUsable();
    return new RemoteSnapshot(this, cached.bytes, cached.stat, cached.direct);
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
    const { attr, fixed, closed, direct = true, handle } = payload;
    if (attr !== undefined) {
      const stat = statFromAttributes(attr, this.ino);
      if (!flags.truncate) this.remember(stat, sequence);
      if (fixed === true && data !== undefined && data.byteLength === stat.size) {
        if (closed !== true) void this.view.closeHandle(handle, generation);
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
    return (await this.ask('readlink', {}, op)).payload.target;
  }

  protected override self(): RemoteNode {
    return this;
  }
}

/** What is known of a name in a directory. */
interface Child {
  readonly number: number;
  readonly ino: bigint;
  readonly kind: 'dir' | 'file' | 'symlink';
  readonly freshness: Freshness;
  /** Absent for live files: each lookup gives a node of its own. */
  readonly node: RemoteNode | undefined;
  /** Known as of this epoch and generation; older only helps to keep the node's identity. */
  epoch: number;
}

interface Found extends WireAttributesOfEntry {
  readonly node: number;
}
type WireAttributesOfEntry = Partial<WireAttributes> & { readonly kind: WireAttributes['kind'] };

export class RemoteDir extends RemoteBase implements DirNode {
  readonly kind = 'dir';
  readonly #children = new Map<string, Child>();
  #listing: { readonly entries: readonly DirEntry[]; readonly epoch: number } | undefined;

  lookup(name: string, op: Op): Awaitable<Node> {
    this.view.notice(op.session);
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
    this.view.notice(op.session);
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
    const node = this.adopt(name, found, this.view.sequence);
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
  adopt(name: string, found: Found, sequence: number): RemoteNode {
    const { view } = this;
    const ino = view.host.inoFrom(found.ino);
    const freshness = found.freshness ?? 'shared';
    const before = this.#children.get(name);
    const same =
      before !== undefined &&
      before.ino === ino &&
      before.kind === found.kind &&
      before.freshness === freshness;
    const node = (same ? before.node : undefined) ?? this.#newNode(name, found.kind, ino, freshness);
    const kept = freshness === 'live' && found.kind === 'file' ? undefined : node;
    if (!node.isNumbered(found.node)) {
      node.numbered(found.node);
      view.register(found.node, ino, kept);
    }
    this.#children.set(name, {
      number: found.node,
      ino,
      kind: found.kind,
      freshness,
      node: kept,
      epoch: view.isFresh(sequence, this) ? view.epoch : -1,
    });
    if (found.size !== undefined && found.mode !== undefined)
      node.remember(statFromAttributes(found as WireAttributes, ino), sequence);
    return node;
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
    node.numbered(child.number);
    return node;
  }

  async #lookup(name: string, op: Op): Promise<Node> {
    const { sequence } = this.view;
    const { payload } = await this.ask('lookup', { name }, op);
    this.#learn(payload.dir);
    return this.adopt(name, payload, sequence);
  }

  async #list(op: Op): Promise<readonly DirEntry[]> {
    const { sequence, epoch } = this.view;
    const entries: DirEntry[] = [];
    for (let cookie = 0, eof = false; !eof;) {
      const { payload } = await this.ask('readdirp', { cookie, plus: true }, op);
      this.#learn(payload.dir);
      for (const entry of payload.entries) entries.push(this.#entryFrom(entry, sequence));
      eof = payload.eof || payload.next <= cookie;
      cookie = payload.next;
    }
    if (epoch === this.view.epoch && this.view.isFresh(sequence, this)) this.#listing = { entries, epoch };
    return entries;
  }

  #entryFrom(
    entry: WireAttributesOfEntry & { readonly name: string; readonly node?: number | undefined },
    sequence: number,
  ): DirEntry {
    const { name, kind, node: number } = entry;
    if (number === undefined) return { name, kind, ino: this.view.host.inoFrom(entry.ino) };
    const node = this.adopt(name, { ...entry, node: number }, sequence);
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
    return this.adopt(name, answer.payload, this.view.sequence);
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
